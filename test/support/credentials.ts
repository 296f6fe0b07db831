import { randomBytes } from 'node:crypto';
import { expect } from 'chai';

import { call, type Answer } from './tasks.js';

/** One key of SECRETS_KEYS. */
export function secretKey(id: string): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}

export function credentialsPath(key: string): string {
  return `/destinations/${encodeURIComponent(key)}/credentials`;
}

export function patchCredentials(baseUrl: string, key: string, body: unknown): Promise<Answer> {
  return call(baseUrl, credentialsPath(key), { method: 'PATCH', headers: { 'content-type': 'application/json', 'x-operator': 'Anna' }, body: JSON.stringify(body) });
}

/** Fails the test when it is refused. */
export async function setCredentials(baseUrl: string, key: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = await patchCredentials(baseUrl, key, body);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer.body;
}

/** A text as it is, in base64 and percent-encoded: what must be found nowhere. */
export function marksOf(secret: string): readonly string[] {
  return [secret, Buffer.from(secret).toString('base64').replace(/=+$/, ''), encodeURIComponent(secret)];
}
