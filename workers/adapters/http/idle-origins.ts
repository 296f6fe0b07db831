/**
 * Origins whose connections may stay open while nothing is sent to them. To make a connection and to end it is three times the work of a
 * delivery. What they take of memory: docs/PERFORMANCE.md, destinations.
 */
const MOST = 10_240;
/** A connection with TLS takes several times the memory of another one. */
const WEIGHT_OF_TLS = 4;

/** @param openFiles how many files the process may have open. Three quarters of them are left for sends under way and all else. */
export function idleOriginsFor(openFiles: number): number {
  return Math.min(MOST, Math.floor(openFiles / 4));
}

/** What an origin counts for among those that are idle. @param protocol as in `new URL(...).protocol` */
export function weightOfIdle(protocol: string): number {
  return protocol === 'https:' ? WEIGHT_OF_TLS : 1;
}
