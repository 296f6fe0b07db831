/**
 * Makes a value at the first call and keeps it. When that fails, the next call tries again. A thousand calls in one go make one value.
 */
export function readOnce<T>(read: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return async () => {
    try {
      return await (kept ??= read());
    } catch (error) {
      kept = undefined;
      throw error;
    }
  };
}
