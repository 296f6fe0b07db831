import type { ServerResponse } from 'node:http';

/** Express' own `json()` looks up settings, character sets and freshness for every answer: too much for the hot path. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
