import type { Dispatcher } from 'undici';

import { DEFAULT_CONTENT_TYPE, type HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAttempt } from '../../../shared/domain/ports.js';
import { nameTrace } from '../../../shared/domain/trace-context.js';
import type { Preparation } from './credentials/credentials-in-use.js';
import { headerValue } from './header-value.js';
import type { Target } from './target.js';
import { USER_AGENT } from './user-agent.js';

/**
 * One request. Of a header that several have, the destination's own holds, then the login of its url, then that of the credentials: no header
 * stands there twice.
 */
export function requestOf(attempt: DeliveryAttempt, { method, contentType = DEFAULT_CONTENT_TYPE, headers: chosen }: HttpDestination, { path, authorization }: Target, prepared: Preparation | undefined): Dispatcher.DispatchOptions {
  const headers = ['Content-Type', contentType];
  let { trace } = attempt;
  if (chosen === undefined && prepared === undefined) {
    // Nearly all requests.
    headers.push('User-Agent', USER_AGENT);
    if (authorization !== undefined) headers.push('Authorization', authorization);
  } else {
    const names = addChosen(headers, [chosen, authorization === undefined ? undefined : { Authorization: authorization }, prepared?.headers, { 'User-Agent': USER_AGENT }]);
    if (trace !== undefined && nameTrace(names)) trace = undefined;
    if (prepared !== undefined) headers.push(...prepared.signature);
  }
  headers.push('X-Message-Key', headerValue(attempt.key));
  for (const name of Object.keys(attempt.headers)) headers.push(name, headerValue(attempt.headers[name] ?? ''));
  if (trace !== undefined) {
    headers.push('traceparent', trace.traceparent);
    if (trace.tracestate !== undefined) headers.push('tracestate', trace.tracestate);
  }
  return { method: method ?? 'POST', path, headers, body: attempt.body };
}

/** Whether `requestOf` sends a login that the task has itself, in a header or in its url. */
export function hasOwnLogin({ headers = {} }: HttpDestination, { authorization }: Target): boolean {
  return authorization !== undefined || Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
}

/** @returns their names, in lower case */
function addChosen(headers: string[], sources: readonly (Readonly<Record<string, string>> | undefined)[]): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      if (seen.has(name.toLowerCase())) continue;
      seen.add(name.toLowerCase());
      headers.push(name, value);
    }
  }
  return seen;
}
