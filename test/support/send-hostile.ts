import { expect } from 'chai';

import { requestErrors } from '../../shared/domain/request-errors.js';
import { expectAsInContract } from './contract.js';
import { sendRaw, type RawRequest } from './raw-request.js';

/** An answer that is as it should be: a success, or a refusal with a code. */
export interface JudgedAnswer {
  readonly status: number;
  /** `{}` for an answer that is no JSON, such as a page. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** How many requests are under way at once. */
const AT_ONCE = 8;
/** An error may repeat a part of what was sent, and no more. */
const LONGEST_REFUSAL = 70_000;

export function jsonRequest(method: string, path: string, body: string): RawRequest {
  return { method, path, body, headers: { 'content-type': 'application/json' } };
}

/** Sends anything at all, and fails the test for an answer that is our fault, or that is not as docs/openapi.yaml says. */
export async function sendHostile(baseUrl: string, wanted: RawRequest): Promise<JudgedAnswer> {
  const method = wanted.method ?? 'GET';
  const { status, text, headers } = await sendRaw(baseUrl, wanted);
  const what = `${method} ${wanted.path.slice(0, 300)} ${typeof wanted.body === 'string' ? wanted.body.slice(0, 300) : ''} -> ${status} ${text.slice(0, 500)}`;
  // A test send that could be made asks a worker, and none runs.
  if (!(wanted.path.startsWith('/test-sends') && status === 503 && text.includes('"code":"no_worker"'))) expect(status, what).to.be.within(200, 499);
  if (!String(headers['content-type']).startsWith('application/json')) {
    // These are pages, files and redirects: every refusal is JSON.
    expect(status, what).to.be.below(400);
    return { status, body: {} };
  }
  // Each answer in JSON is an object, and the contract is asked about its fields.
  const body = JSON.parse(text) as JudgedAnswer['body'];
  if (status >= 400) {
    expect(requestErrors, what).to.have.property(String(body['code']));
    expect(body, what).to.include.keys('error', 'request_id');
    expect(text.length, what).to.be.below(LONGEST_REFUSAL);
  }
  if (body['code'] === 'invalid_query') {
    const details = body['details'] as readonly JudgedAnswer['body'][];
    expect(details, what).to.have.property('length').that.is.above(0);
    for (const { field, message, position } of details) expect([typeof field, typeof message, Number.isInteger(position)], what).to.deep.equal(['string', 'string', true]);
  }
  expectAsInContract(baseUrl, { method, path: wanted.path, status, body });
  return { status, body };
}

/** The same of many. @returns their answers, in their order */
export async function sendAllHostile(baseUrl: string, all: readonly RawRequest[]): Promise<readonly JudgedAnswer[]> {
  const answers = new Array<JudgedAnswer>(all.length);
  const rest = [...all.entries()];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) answers[next[0]] = await sendHostile(baseUrl, next[1]);
    }),
  );
  return answers;
}
