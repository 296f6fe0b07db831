/**
 * The newest rows in the places that they had. A row that is gone stays as it was last seen: what is done to it is judged by the service.
 *
 * @param newOnes what becomes of rows that were not there before: `last` or, `later`, left out
 */
export function inCalmOrder<T>(before: readonly T[], now: readonly T[], keyOf: (row: T) => string, newOnes: 'last' | 'later'): readonly T[] {
  const left = new Map(now.map((row) => [keyOf(row), row]));
  const kept = before.map((row) => {
    const key = keyOf(row);
    const fresh = left.get(key);
    left.delete(key);
    return fresh ?? row;
  });
  return newOnes === 'last' ? [...kept, ...left.values()] : kept;
}
