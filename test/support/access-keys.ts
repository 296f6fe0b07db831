import { expect } from 'chai';

import { call, type Answer } from './tasks.js';

/** The admin key of a test: BOOTSTRAP_API_KEY of its API. */
export const ADMIN_KEY = `krs_test0_${'c0ffee15'.repeat(8)}`;
/** It has the form of a key, and nobody has it. */
export const WRONG_KEY = `krs_nobody_${'deadbeef'.repeat(8)}`;

/** What a request with this key sends. */
export function bearer(key: string): { readonly authorization: string } {
  return { authorization: `Bearer ${key}` };
}

/** `call` with a key. @param init as fetch takes it; a `body` is sent as JSON */
export async function callWith(key: string, baseUrl: string, path: string, init: { readonly method?: string; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<Answer> {
  const { method = 'GET', body, headers } = init;
  return call(baseUrl, path, { method, headers: { ...bearer(key), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

export interface TestKey {
  readonly id: string;
  readonly key: string;
}

/** Makes a key by the API. It holds in that process at once. */
export async function makeKey(baseUrl: string, settings: { readonly role: string; readonly permissions?: readonly string[]; readonly client_ids?: readonly string[]; readonly expires_at?: string; readonly name?: string; readonly rate_limit?: number; readonly quota?: number }): Promise<TestKey> {
  const { status, body } = await callWith(ADMIN_KEY, baseUrl, '/keys', { method: 'POST', body: { name: `test ${settings.role}`, ...settings } });
  expect(status, JSON.stringify(body)).to.equal(201);
  return { id: String(body['id']), key: String(body['key']) };
}
