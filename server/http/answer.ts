import type { ServerResponse } from 'node:http';
import { endBehindUnreadBody } from './unread-body.js';

const LARGE_CHARACTERS = 65_536;

/** A list is sent as a header line each, as Set-Cookie needs it. */
export type AnswerHeaders = Readonly<Record<string, string | string[]>>;

/** The answer of a handler; the pipeline sends it. */
export interface Answer {
  readonly status: number;
  readonly headers?: AnswerHeaders;
  /** When it is left out, there is no body (204). `text`: bytes are sent as they are. */
  readonly content?: { readonly type: string; readonly text: string | Buffer };
}

/** The handler has sent the answer itself, as Bull Board does. */
export const ANSWERED: Answer = { status: 0 };

export function jsonAnswer(status: number, body: object, headers?: AnswerHeaders): Answer {
  return jsonTextAnswer(status, JSON.stringify(body), headers);
}

/** @param text the body, as JSON */
export function jsonTextAnswer(status: number, text: string, headers?: AnswerHeaders): Answer {
  return textAnswer(status, 'application/json; charset=utf-8', text, headers);
}

export function textAnswer(status: number, type: string, text: string, headers: AnswerHeaders = {}): Answer {
  return { status, headers, content: { type, text } };
}

/**
 * Headers of every answer: a cache must not keep it, a browser must not take it for another type, and pages of other
 * origins must not embed it. Should a browser show it all the same, it runs and loads nothing, and is shown in no frame. Pages have a policy of their own.
 */
export function commonHeaders(requestId: string): AnswerHeaders {
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Request-Id': requestId,
  };
}

/**
 * Express' own `json()` looks up settings, character sets and freshness for every answer. A submission needs none of
 * them. All headers go to Node at once: with one that was set before, it would check and store each of them by itself.
 * @param ofRequest see RequestContext.answerHeaders
 */
export function sendAnswer(response: ServerResponse, { status, headers, content }: Answer, requestId: string, ofRequest?: AnswerHeaders): void {
  if (!response.req.complete) endBehindUnreadBody(response.req, response);
  if (content === undefined) {
    response.writeHead(status, { ...commonHeaders(requestId), ...ofRequest, ...headers });
    response.end();
    return;
  }
  const { type, text } = content;
  // Node would take three bytes for each character of a text until its last byte is read, and copy the text for its first line.
  const body = typeof text !== 'string' || text.length < LARGE_CHARACTERS ? text : Buffer.from(text);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...commonHeaders(requestId), ...ofRequest, ...headers });
  // Node leaves the text out of the answer to HEAD.
  response.end(body);
}
