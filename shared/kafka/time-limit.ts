/**
 * The promise's own outcome, or `createError()` if it has none within the limit. The work itself is not stopped:
 * the caller that started it ends it.
 *
 * @param limitMs whole milliseconds
 */
export async function withinLimit<T>(work: Promise<T>, limitMs: number, createError: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(createError()); }, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
