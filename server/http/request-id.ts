import { randomUUID } from 'node:crypto';

const TAKEN = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * The id under which a request is answered and logged. It is the client's own, so that one id goes through all services.
 * If the client's id has characters that must not be in our log, a new id is made: `3f0c...-...`.
 *
 * @param header `X-Request-Id` as Node gives it; Node joins several of them with commas, and such a text is not taken
 */
export function requestIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && TAKEN.test(header) ? header : randomUUID();
}
