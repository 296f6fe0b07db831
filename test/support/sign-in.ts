import { expect } from 'chai';

import { sendRaw, type RawAnswer } from './raw-request.js';

/** What a request with a session sends. */
export interface SessionHeaders {
  readonly cookie: string;
}

/** Asks to sign in, as a page of this origin does. @param headers instead of those */
export function askToSignIn(baseUrl: string, key: unknown, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
  return sendRaw(baseUrl, { method: 'POST', path: '/session', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ key }) });
}

/** The header Cookie that a browser sends after it has got these headers Set-Cookie. */
export function cookiesOf({ headers }: RawAnswer): SessionHeaders {
  return { cookie: (headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? '').join('; ') };
}

/** Signs in with a key. */
export async function signIn(baseUrl: string, key: string): Promise<SessionHeaders> {
  const answer = await askToSignIn(baseUrl, key);
  expect(answer.status, answer.text).to.equal(201);
  return cookiesOf(answer);
}
