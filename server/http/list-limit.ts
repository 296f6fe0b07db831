import { RequestError } from '../../shared/domain/errors.js';

const DEFAULT_LISTED = 100;
const MAX_LISTED = 1_000;

/**
 * Reads `?limit=` of a list.
 * @param query undefined: it is not there, and 100 are listed
 * @returns 1 to 1,000
 * @throws RequestError invalid_request
 */
export function parseLimit(query: unknown): number {
  if (query === undefined) return DEFAULT_LISTED;
  const limit = typeof query === 'string' && /^[0-9]{1,4}$/.test(query) ? Number(query) : 0;
  if (limit >= 1 && limit <= MAX_LISTED) return limit;
  const message = `limit must be a whole number from 1 to ${MAX_LISTED}`;
  throw new RequestError('invalid_request', message, [{ field: 'limit', message }]);
}
