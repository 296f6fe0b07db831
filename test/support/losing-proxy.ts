import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request that came to the proxy. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What becomes of one request: it is passed on, its answer is lost, it gets an answer of the proxy, or none, or one without an end. `raw` are bytes behind which the connection is reset. */
export type Fate = 'pass' | 'lose' | 'hang' | 'endless' | { readonly raw: string } | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };

/** Stands between a client and the service, and loses what it is told to lose. */
export class LosingProxy {
  readonly seen: SeenRequest[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: string,
    private readonly fateOf: (request: SeenRequest, nth: number) => Fate,
  ) {}

  /** @param fateOf `nth` counts from 0 */
  static async start(target: string, fateOf: (request: SeenRequest, nth: number) => Fate): Promise<LosingProxy> {
    const server = createServer();
    const proxy = new LosingProxy(server, target, fateOf);
    server.on('connection', (socket) => {
      proxy.#sockets.add(socket);
      socket.once('close', () => proxy.#sockets.delete(socket));
    });
    server.on('request', (request, response) => void proxy.#answer(request, response).catch(() => response.destroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    // A server that listens on TCP has such an address.
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const { method = '', url: path = '', headers } = request;
    const seen: SeenRequest = { method, path, headers, body: Buffer.concat(pieces).toString() };
    const fate = this.fateOf(seen, this.seen.length);
    this.seen.push(seen);
    if (fate === 'hang') return;
    if (fate === 'endless') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"id":"a",');
      return;
    }
    if (typeof fate === 'object' && 'raw' in fate) {
      const { socket } = request;
      if (fate.raw === '') socket.resetAndDestroy();
      else socket.write(fate.raw, () => socket.resetAndDestroy());
      return;
    }
    if (typeof fate === 'object') {
      response.writeHead(fate.status, { 'content-type': 'application/json', ...fate.headers }).end(JSON.stringify(fate.body ?? {}));
      return;
    }
    const { host: _host, connection: _connection, 'content-length': _length, 'transfer-encoding': _coding, ...passed } = headers;
    const answer = await fetch(this.target + path, { method, headers: new Headers(Object.entries(passed).map(([name, value]): [string, string] => [name, String(value)])), ...(seen.body === '' ? {} : { body: seen.body }) });
    const text = await answer.text();
    if (fate === 'lose') response.destroy();
    else response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(text);
  }
}
