import { idOfKey } from '../../../shared/wire/destination-id.js';
import { isUnattended } from './attendance.js';
import { operatorName } from './operator.js';
import { changesOfPerson, hasKey, isSignedOut } from './person.js';

/** A call that was refused, or that found nobody: `status` 0. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    /** As in docs/openapi.yaml; `unreachable` when there was no answer. */
    readonly code: string,
    message: string,
    readonly details: readonly { readonly field?: string; readonly message?: string; readonly position?: number; readonly matched?: number }[] = [],
  ) {
    super(message);
    this.name = 'ApiFailure';
  }
}

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** The longest that an answer may take. A person has turned away by then. */
const LONGEST_MS = 30_000;

/**
 * Calls the public API, as any client would.
 * @param path with its query
 * @throws ApiFailure
 */
export async function callApi<T>(path: string, { method = 'GET', body, signal }: Call = {}): Promise<T> {
  const limit = AbortSignal.timeout(LONGEST_MS);
  const asker = changesOfPerson.peek();
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, {
      method,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      credentials: 'same-origin',
      headers: headersOf(method, body !== undefined),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiFailure(0, 'unreachable', limit.aborted ? `No answer within ${LONGEST_MS / 1_000} s.` : 'The service cannot be reached.');
  }
  // Its answer is for the person who asked, and no longer at the page.
  if (asker !== changesOfPerson.peek()) throw new ApiFailure(0, 'unreachable', 'Somebody else has signed in meanwhile.');
  if (answer.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
  if (answer.status === 401) isSignedOut.value = true;
  throw failureOf(answer.status, text);
}

function headersOf(method: string, hasBody: boolean): Record<string, string> {
  // With access keys it is the key that acts, and the name may be of somebody who was here before.
  const name = hasKey.peek() ? '' : operatorName().trim();
  return {
    Accept: 'application/json',
    ...(hasBody ? { 'Content-Type': 'application/json' } : {}),
    ...(isUnattended() ? { 'X-Unattended': '1' } : {}),
    ...(method !== 'GET' && name !== '' ? { 'X-Operator': encodeURIComponent(name) } : {}),
  };
}

function failureOf(status: number, text: string): ApiFailure {
  try {
    const { error, code, details } = JSON.parse(text) as { error?: unknown; code?: unknown; details?: unknown };
    if (typeof error === 'string') return new ApiFailure(status, typeof code === 'string' ? code : 'unknown', error, Array.isArray(details) ? details : []);
  } catch {
    // A proxy in between answers with pages of its own.
  }
  return new ApiFailure(status, 'unknown', `The service answered ${status}.`);
}

/** `/tasks` and `{ q: 'a b' }` -> `/tasks?q=a%20b`; what is undefined or empty is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | undefined | null>>): string {
  const parts = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === null || value === '' ? [] : [`${name}=${encodeURIComponent(String(value))}`]));
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** An id as one part of a path. */
export function partOfPath(text: string): string {
  return encodeURIComponent(text);
}

/** The path of a destination. Its key is written as an id, since proxies decode and merge slashes. */
export function pathOfDestination(key: string, verb = ''): string {
  return `/destinations/${idOfKey(key)}${verb}`;
}
