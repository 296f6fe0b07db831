import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import { eventually } from './eventually.js';

/** One request that has arrived completely. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly path: string;
  /** Values decoded from UTF-8, names in lower case; of a repeated header the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names in lower case, in their order, each as often as it came. */
  readonly headerNames: readonly string[];
  /** The value of a header as the bytes that came over the wire. */
  headerBytes(name: string): Buffer | undefined;
  readonly body: Buffer;
  /** X-Message-Key; empty when there is none. */
  readonly key: string;
  /** x-retry-task-id; empty when there is none. */
  readonly taskId: string;
  /** When its headers had arrived: milliseconds since the epoch, with a fraction. */
  readonly arrivedAt: number;
  /** Counts the connections to this receiver from 1: two requests with the same number shared one. */
  readonly connection: number;
}

/** What the receiver does with one request. */
export type Behaviour =
  | {
      readonly kind: 'answer';
      /** Default 200. */
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string | string[]>>;
      /** Default empty. */
      readonly body?: string | Buffer;
      /** Wait before the answer, in milliseconds. */
      readonly delayMs?: number;
      /** The answer waits for this. If it fails, there is none. */
      readonly after?: Promise<unknown>;
    }
  /** No answer at all, or headers without a body. Default status 200. */
  | { readonly kind: 'hang'; readonly after?: 'request' | 'headers'; readonly status?: number; readonly headers?: Readonly<Record<string, string>> }
  /** Headers, and then one byte of the body after the other, for ever. Default status 200, every 20 ms. */
  | { readonly kind: 'trickle'; readonly status?: number; readonly everyMs?: number }
  /** Ends the connection too early, by a reset (RST) or an orderly close (FIN). Default status 200, reset. */
  | {
      readonly kind: 'break';
      readonly when: 'before_headers' | 'after_headers' | 'in_body';
      readonly how?: 'reset' | 'close';
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** These bytes instead of an answer. The connection is then closed, unless it is to stay open. */
  | { readonly kind: 'raw'; readonly bytes: string | Buffer; readonly stayOpen?: boolean }
  /** An answer with so many bytes of body, written no faster than it is read. Default status 200. */
  | { readonly kind: 'big'; readonly bodyBytes: number; readonly status?: number; readonly headers?: Readonly<Record<string, string>> };

/** Decides for each request; `nth` counts the requests to that path from 1. */
export type Script = (request: ReceivedRequest, nth: number) => Behaviour;

export interface ReceiverOptions {
  /** Speak HTTPS with this key and certificate (PEM). */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** After how long an idle connection is closed by this end, in milliseconds. Default 5,000 as in Node. */
  readonly keepAliveTimeoutMs?: number;
}

export interface Receiver {
  readonly port: number;
  /** `http://127.0.0.1:<port><path>`; path begins with `/`. */
  url(path: string): string;
  /** Scripts one path (without query). Paths without a script answer 200. */
  on(path: string, behaviour: Behaviour | Script): void;
  /** All complete requests, in the order in which they became complete. */
  readonly requests: readonly ReceivedRequest[];
  requestsTo(path: string): readonly ReceivedRequest[];
  requestsFor(taskId: string): readonly ReceivedRequest[];
  /** Waits until at least `count` requests have come (to that path), and returns all of them. */
  waitForRequests(count: number, where?: { path?: string; withinMs?: number }): Promise<readonly ReceivedRequest[]>;
  /** Most requests that were being handled at the same time so far. */
  readonly maxInFlight: number;
  /** Requests that have not been answered yet. */
  readonly inFlight: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** Connections ever made. */
  readonly connectionsMade: number;
  /** Ends all connections and waits until they and the server are closed. Safe twice. */
  close(): Promise<void>;
}

/** Answers the first `times` requests of each task id by `failure`, and all later ones with 200. */
export function failingFirst(times: number, failure: Behaviour): Script {
  const seen = new Map<string, number>();
  return ({ taskId }) => {
    const count = (seen.get(taskId) ?? 0) + 1;
    seen.set(taskId, count);
    return count <= times ? failure : { kind: 'answer' };
  };
}

/** A real HTTP server on a free port of the loopback interface, that records its requests and answers as a test sets it. */
export async function createReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const scripts = new Map<string, Behaviour | Script>();
  const requests: ReceivedRequest[] = [];
  const requestsByPath = new Map<string, number>();
  const sockets = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  let numbered = 0;
  let connectionsMade = 0;
  let inFlight = 0;
  let maxInFlight = 0;

  const handle = (message: IncomingMessage, response: ServerResponse): void => {
    const arrivedAt = performance.timeOrigin + performance.now();
    inFlight += 1;
    maxInFlight = Math.max(maxInFlight, inFlight);
    response.once('close', () => { inFlight -= 1; });

    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A sender that gives up in mid request is what some tests are about; it is no request then.
    message.on('error', () => undefined);
    message.once('end', () => {
      const request = describeRequest(message, Buffer.concat(chunks), arrivedAt, numbers.get(message.socket) ?? 0);
      requests.push(request);
      const path = withoutQuery(request.path);
      const nth = (requestsByPath.get(path) ?? 0) + 1;
      requestsByPath.set(path, nth);
      const script = scripts.get(path) ?? { kind: 'answer' };
      behave(typeof script === 'function' ? script(request, nth) : script, response, message.socket);
    });
  };

  const server: Server = options.tls === undefined ? createHttpServer(handle) : createHttpsServer(options.tls, handle);
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 5_000;
  server.on('connection', (socket: Socket) => {
    connectionsMade += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  // With TLS, requests name the encrypted socket, which is another object than the connection under it.
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    numbered += 1;
    numbers.set(socket, numbered);
    socket.on('error', () => undefined);
  });
  // The default answers 400 to what cannot be parsed; a handshake that fails, or a reset, lands here too.
  server.on('clientError', (_error, socket) => { socket.destroy(); });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address

  const requestsTo = (path: string): ReceivedRequest[] => requests.filter((request) => withoutQuery(request.path) === path);
  let closed: Promise<void> | undefined;

  return {
    port,
    url: (path) => `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${path}`,
    on: (path, behaviour) => { scripts.set(path, behaviour); },
    requests,
    requestsTo,
    requestsFor: (taskId) => requests.filter((request) => request.taskId === taskId),
    waitForRequests: (count, { path, withinMs = 15_000 } = {}) => eventually(() => {
      const come = path === undefined ? [...requests] : requestsTo(path);
      if (come.length < count) throw new Error(`${come.length} of ${count} requests have come`);
      return come;
    }, { withinMs }),
    get inFlight() { return inFlight; },
    get maxInFlight() { return maxInFlight; },
    get openConnections() { return sockets.size; },
    get connectionsMade() { return connectionsMade; },
    close: () => closed ??= new Promise((resolve, reject) => {
      server.close((error) => { if (error === undefined) resolve(); else reject(error); });
      for (const socket of sockets) socket.destroy();
    }),
  };
}

function describeRequest(message: IncomingMessage, body: Buffer, arrivedAt: number, connection: number): ReceivedRequest {
  const raw = new Map<string, Buffer>();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    // Node reads headers as latin1, one character for each byte: this gives the bytes back.
    raw.set((message.rawHeaders[i] ?? '').toLowerCase(), Buffer.from(message.rawHeaders[i + 1] ?? '', 'latin1'));
  }
  const headers = Object.fromEntries([...raw].map(([name, bytes]) => [name, bytes.toString('utf8')]));
  return {
    method: message.method ?? '',
    path: message.url ?? '',
    headers,
    headerNames: message.rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase()),
    headerBytes: (name) => raw.get(name.toLowerCase()),
    body,
    key: headers['x-message-key'] ?? '',
    taskId: headers['x-retry-task-id'] ?? '',
    arrivedAt,
    connection,
  };
}

function behave(behaviour: Behaviour, response: ServerResponse, socket: Socket): void {
  switch (behaviour.kind) {
    case 'answer': {
      const answer = (): void => {
        response.writeHead(behaviour.status ?? 200, behaviour.headers);
        response.end(behaviour.body ?? '');
      };
      if (behaviour.after !== undefined) void behaviour.after.then(answer, () => socket.resetAndDestroy());
      else if (behaviour.delayMs === undefined) answer();
      else untilClosed(response, setTimeout(answer, behaviour.delayMs));
      return;
    }
    case 'hang':
      if (behaviour.after === 'headers') response.writeHead(behaviour.status ?? 200, { 'content-length': '100', ...behaviour.headers }).flushHeaders();
      return;
    case 'trickle':
      response.writeHead(behaviour.status ?? 200, { 'content-type': 'text/plain' }).flushHeaders();
      untilClosed(response, setInterval(() => response.write('.'), behaviour.everyMs ?? 20));
      return;
    case 'break':
      breakOff(behaviour, response, socket);
      return;
    case 'raw':
      socket.write(behaviour.bytes);
      if (behaviour.stayOpen !== true) socket.end();
      return;
    case 'big':
      response.writeHead(behaviour.status ?? 200, { 'content-length': String(behaviour.bodyBytes), ...behaviour.headers });
      writeSlowly(response, behaviour.bodyBytes);
      return;
  }
}

function breakOff(behaviour: Extract<Behaviour, { kind: 'break' }>, response: ServerResponse, socket: Socket): void {
  const end = (): void => {
    if (behaviour.how === 'close') socket.end();
    else socket.resetAndDestroy();
  };
  if (behaviour.when === 'before_headers') {
    end();
    return;
  }
  response.writeHead(behaviour.status ?? 200, { 'content-length': '1000', ...behaviour.headers });
  response.flushHeaders();
  if (behaviour.when === 'in_body') response.write('the beginning of an answer');
  // A reset throws away what the other side has not read yet, and the cut would come earlier than it was to.
  untilClosed(response, setTimeout(end, 30));
}

function writeSlowly(response: ServerResponse, bodyBytes: number): void {
  const block = Buffer.alloc(64 * 1024, 'x');
  let left = bodyBytes;
  const write = (): void => {
    while (left > 0) {
      const part = block.subarray(0, Math.min(left, block.length));
      left -= part.length;
      if (!response.write(part)) {
        response.once('drain', write);
        return;
      }
    }
    response.end();
  };
  write();
}

/** Ends the timer when the request is over, however it ends. */
function untilClosed(response: ServerResponse, timer: NodeJS.Timeout): void {
  response.once('close', () => { clearTimeout(timer); });
}

function withoutQuery(path: string): string {
  return path.split('?', 1)[0] ?? '';
}
