/**
 * What a process that stops waits for: `1 request in flight, up to 10 s`, `nothing in flight`.
 * @param limitMs it waits no longer than this
 */
export function printInFlight(count: number, [one, many]: readonly [one: string, many: string], limitMs: number): string {
  if (count === 0) return 'nothing in flight';
  return `${count} ${count === 1 ? one : many} in flight, up to ${Math.round(limitMs / 100) / 10} s`;
}
