import { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';

/** No object of the API needs as many. Joi reports every key it does not know, and takes a second for 100,000 of them. */
export const MAX_KEYS = 100;

/**
 * Checks an object whose keys a client chooses for two things that Joi handles badly. Too many keys: naming every fault
 * would hold up all other requests. `__proto__`: JSON.parse makes it a key like any other, and Joi drops it in silence.
 * @param what  what the object is called in a text
 * @param path  of its fields; it is empty for the body itself
 * @param code  of the refusal of an object that is too wide
 * @throws RequestError for an object that is too wide
 * @returns the violations by `__proto__`
 */
export function checkKeys(value: unknown, { what, path, maxKeys, code }: { what: string; path: string; maxKeys: number; code: RequestErrorCode }): { field: string; message: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  let count = 0;
  // for...in: Object.keys would first make an array of what may be a million keys.
  for (const _key in value) if ((count += 1) > maxKeys) throw tooWide(what, path, maxKeys, code);
  const field = path === '' ? '__proto__' : `${path}.__proto__`;
  return Object.hasOwn(value, '__proto__') ? [{ field, message: `${field} is not allowed` }] : [];
}

function tooWide(what: string, path: string, maxKeys: number, code: RequestErrorCode): RequestError {
  const message = `${what} has too many keys: at most ${maxKeys} are taken`;
  return new RequestError(code, message, [{ field: path, message }]);
}
