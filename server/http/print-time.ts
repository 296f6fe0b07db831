/**
 * @param ms milliseconds since the epoch. @returns the form in which the API writes every time:
 * `2026-11-23T12:00:00.000Z`
 */
export function printTime(ms: number): string {
  return new Date(ms).toISOString();
}
