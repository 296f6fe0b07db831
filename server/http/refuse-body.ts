import type { IncomingMessage } from 'node:http';
import type { RequestError } from '../../shared/domain/errors.js';

/**
 * Refuses a body while it comes. The handler that reads it sees the refusal as the body's error, as it sees a client that
 * goes away, and answers with it.
 * @returns false when no handler reads the body
 */
export function refuseBody(request: IncomingMessage, refusal: RequestError): boolean {
  if (request.listenerCount('error') === 0) return false;
  // destroy() would say the same, and take the connection from the answer.
  request.emit('error', refusal);
  return true;
}
