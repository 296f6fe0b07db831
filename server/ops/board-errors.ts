import type { ServerResponse } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import { WHY_NOT_KNOWN } from '../tasks/action-answers.js';

/** What the board says in words of its own, by the key that it sends to its page. */
const refusalsByKey: ReadonlyMap<unknown, readonly [code: RequestErrorCode, message: string]> = new Map([
  ['ERRORS.QUEUE_NOT_FOUND', ['not_found', 'there is no such queue']],
  ['ERRORS.JOB_NOT_FOUND', ['task_not_found', `no such task is known: ${WHY_NOT_KNOWN}`]],
] as const);

const codeByStatus: ReadonlyMap<unknown, RequestErrorCode> = new Map([
  [404, 'not_found'],
  [405, 'action_refused'],
  [413, 'too_large'],
  [415, 'unsupported_media_type'],
] as const);

/**
 * Keeps the board from answering an error in its own form, `{"error":{"key":"ERRORS.JOB_NOT_FOUND"}}`.
 * @param refuse answers the error in ours
 */
export function refuseInOurForm(response: ServerResponse, refuse: (refusal: Error) => void): void {
  Object.assign(response, {
    // Express calls it for every answer of the board that is no page.
    json(body: unknown): ServerResponse {
      const { statusCode } = response;
      if (statusCode < 400) return expressJson(response, body);
      // What the board has set for its own answer is not true of ours.
      response.statusCode = 200;
      refuse(refusalOf(statusCode, body));
      return response;
    },
  });
}

/** An error that Express, or a part of it, hands on: a body or a path that cannot be decoded has a status in it. */
export function refusalOfExpress(error: Error): Error {
  if (error instanceof RequestError || !('status' in error) || typeof error.status !== 'number' || error.status < 400 || error.status >= 500) return error;
  return new RequestError(codeByStatus.get(error.status) ?? 'invalid_request', 'the board cannot read this request', undefined, { cause: error });
}

function refusalOf(status: number, body: unknown): Error {
  const key = keyOf(body);
  const known = refusalsByKey.get(key);
  if (known !== undefined) return new RequestError(known[0], known[1]);
  if (status >= 500) return new Error(`the board answered ${status} ${String(key)}`);
  return new RequestError(codeByStatus.get(status) ?? 'invalid_request', `the board refuses this: ${String(key)}`);
}

function keyOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  return typeof error === 'object' && error !== null && 'key' in error ? error.key : error;
}

/** The method that the one above stands in front of. */
function expressJson(response: ServerResponse, body: unknown): ServerResponse {
  // Express has put its own methods behind those of the response; the types of Node do not know them.
  const express = Object.getPrototypeOf(response) as { json(this: ServerResponse, body: unknown): ServerResponse };
  return express.json.call(response, body);
}
