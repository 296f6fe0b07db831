import { randomUUID } from 'node:crypto';

const TAKEN = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * The id under which a request is answered and logged: that of its client, so that one id goes through all services.
 * What a client must not write into our log is not taken, and an id is made: `3f0c...-...`.
 *
 * @param header `X-Request-Id` as Node gives it; several of them come as one text with commas, which is not taken
 */
export function requestIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && TAKEN.test(header) ? header : randomUUID();
}
