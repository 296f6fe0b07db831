import type { ServerResponse } from 'node:http';

/** Express' own `json()` looks up settings, character sets and freshness for every answer: too much for the hot path. */
export function sendJson(response: ServerResponse, status: number, body: object, headers: Readonly<Record<string, string>> = {}): void {
  sendJsonText(response, status, JSON.stringify(body), headers);
}

/** @param text JSON already */
export function sendJsonText(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text), ...headers });
  response.end(text);
}
