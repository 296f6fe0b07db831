import { request, type IncomingHttpHeaders } from 'node:http';

export interface RawRequest {
  readonly method?: string;
  /** The request target as it is: fetch would mend it. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Several pieces are sent as HTTP chunks, one for each. */
  readonly body?: string | Buffer | readonly Buffer[];
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request over a connection of its own. */
export function sendRaw(baseUrl: string, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, agent: false, headers: { ...headers, ...lengthOf(body) } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }); });
    });
    sent.on('error', reject);
    for (const piece of isInPieces(body) ? body : []) sent.write(piece);
    sent.end(isInPieces(body) ? undefined : body);
  });
}

function isInPieces(body: RawRequest['body']): body is readonly Buffer[] {
  return Array.isArray(body);
}

function lengthOf(body: RawRequest['body']): Readonly<Record<string, string | number>> {
  if (body === undefined) return {};
  return isInPieces(body) ? { 'transfer-encoding': 'chunked' } : { 'content-length': Buffer.byteLength(body) };
}
