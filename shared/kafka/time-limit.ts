/**
 * The promise's own outcome, or `createError()` if it has none within the limit. The work itself is not stopped:
 * the caller that started it ends it.
 *
 * @param limitMs whole milliseconds
 * @param moreMs  asked when the limit is reached: whole milliseconds to wait on; 0 or less: the limit holds
 */
export async function withinLimit<T>(work: Promise<T>, limitMs: number, createError: () => Error, moreMs: () => number = () => 0): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const wait = (ms: number): void => {
      timer = setTimeout(() => {
        const more = moreMs();
        if (more > 0) wait(more);
        else reject(createError());
      }, ms);
    };
    wait(limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
