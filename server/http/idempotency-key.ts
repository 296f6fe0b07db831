import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

const MAX_CHARACTERS = 128;
const RULE = `the header Idempotency-Key must be one text of 1 to ${MAX_CHARACTERS} printable ASCII characters`;

/**
 * The key by which a client can repeat a submission: `Idempotency-Key: 5f0c2a7e`. Quotes around it belong to it.
 * @returns '' when the request has none
 * @throws RequestError invalid_request for an empty or long one, for other characters, and for a header that stands twice
 */
export function idempotencyKeyOf(request: IncomingMessage): string {
  // Most submissions have none. Node makes headersDistinct only when it is asked for.
  if (request.headers['idempotency-key'] === undefined) return '';
  const [key = '', ...others] = request.headersDistinct['idempotency-key'] ?? [];
  if (others.length > 0 || key.length > MAX_CHARACTERS || !/^[\x20-\x7e]+$/.test(key)) throw new RequestError('invalid_request', RULE, [{ field: 'Idempotency-Key', message: RULE }]);
  return key;
}
