import type { ServerResponse } from 'node:http';

export type AnswerHeaders = Readonly<Record<string, string>>;

/** What a handler wants to be answered; the pipeline sends it. */
export interface Answer {
  readonly status: number;
  readonly headers?: AnswerHeaders;
  /** Left out: there is no body (204). */
  readonly content?: { readonly type: string; readonly text: string };
}

/** The handler has answered by itself, as Bull Board does. */
export const ANSWERED: Answer = { status: 0 };

export function jsonAnswer(status: number, body: object, headers?: AnswerHeaders): Answer {
  return jsonTextAnswer(status, JSON.stringify(body), headers);
}

/** @param text JSON already */
export function jsonTextAnswer(status: number, text: string, headers?: AnswerHeaders): Answer {
  return textAnswer(status, 'application/json; charset=utf-8', text, headers);
}

export function textAnswer(status: number, type: string, text: string, headers: AnswerHeaders = {}): Answer {
  return { status, headers, content: { type, text } };
}

/** Headers of every answer, that of the board too. No answer may be kept by a cache, or taken for another type. */
export function commonHeaders(requestId: string): AnswerHeaders {
  return { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', 'X-Request-Id': requestId };
}

/** Express' own `json()` looks up settings, character sets and freshness for every answer: too much for the hot path. */
export function sendAnswer(response: ServerResponse, { status, headers, content }: Answer, requestId: string): void {
  if (content === undefined) {
    response.writeHead(status, { ...commonHeaders(requestId), ...headers });
    response.end();
    return;
  }
  const { type, text } = content;
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), ...commonHeaders(requestId), ...headers });
  // Node leaves the text out of the answer to HEAD.
  response.end(text);
}
