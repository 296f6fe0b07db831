import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { uniqueId, type WireTask } from '../../support/tasks.js';

/** One way to do harm, as a row of a table. */
export interface Attacker {
  readonly name: string;
  /** Begins to attack, and resolves as soon as it does. It goes on until `attack.signal` aborts. */
  start(attack: Attack): Promise<void>;
  /** For how many seconds it has to go on where the harm gathers, such as memory that is never given back. */
  readonly leastSeconds?: number;
  /** The long form alone has time for it. */
  readonly isLongOnly?: boolean;
}

type PartialTask = Partial<WireTask> & Pick<WireTask, 'destination'>;

/** The tools of an attacker. Everything that was opened with them is closed by `end`. */
export class Attack {
  readonly #aborted = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #closers: (() => Promise<unknown>)[] = [];

  /** @param apiPort where the API listens, on 127.0.0.1 */
  constructor(readonly apiPort: number) {}

  /** Aborts when the attack is over. */
  get signal(): AbortSignal {
    return this.#aborted.signal;
  }

  get isOver(): boolean {
    return this.#aborted.signal.aborted;
  }

  /** A connection to the API, or to another port. Its errors are of no interest. */
  connect(port = this.apiPort): Socket {
    return this.#own(connect({ port, host: '127.0.0.1', noDelay: true }));
  }

  /** A server on a free port. @returns the port */
  async listen(onConnection: (socket: Socket) => void): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#own(socket);
      onConnection(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', 4_096, resolve);
    });
    this.#closers.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address
    return port;
  }

  /** Calls `work` now and then at that distance until the attack is over. Work that fails has met the end of the attack. */
  every(ms: number, work: () => unknown): void {
    const run = (): void => void Promise.resolve(work()).catch(() => undefined);
    run();
    const timer = setInterval(run, ms);
    this.signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** Does the same again and again, `atOnce` at a time, until the attack is over. */
  again(atOnce: number, work: () => Promise<unknown>): void {
    const loop = async (): Promise<void> => {
      while (!this.isOver) {
        await work().catch(() => undefined);
        // A refusal may come at once: without a pause this process would do nothing else.
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    for (let nth = 0; nth < atOnce; nth += 1) void loop();
  }

  /**
   * Sends bytes over a connection of its own, and reads what comes until the answer's end or the connection's.
   * @returns the status, or undefined when the connection ended without an answer
   */
  async send(...parts: readonly (string | Buffer)[]): Promise<number | undefined> {
    const socket = this.connect();
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      if (head.length < 256) head += chunk.toString('latin1', 0, 256);
    });
    for (const part of parts) socket.write(part);
    await closeOf(socket);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
    return status === undefined ? undefined : Number(status);
  }

  /** POST with a whole body. @returns the status */
  post(path: string, body: string | Buffer, contentType = 'application/json'): Promise<number | undefined> {
    return this.send(postHead(path, contentType, `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close`), body);
  }

  /** Submits tasks in one batch; without other wishes they are due at once and are not retried. */
  submit(count: number, task: (nth: number) => PartialTask): Promise<number | undefined> {
    const lines = Array.from({ length: count }, (_, nth) => JSON.stringify({ id: uniqueId('attack'), source: 'attack', client_id: 'attack', destination_type: 'http', on_exhausted: 'park', max_retries: 0, base_delay: 0.1, initial_delay: 0, message_data: '{}', ...task(nth) }));
    return this.post('/tasks/batch', `${lines.join('\n')}\n`, 'application/x-ndjson');
  }

  /** Ends all of it. Safe twice. */
  async end(): Promise<void> {
    this.#aborted.abort();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#sockets].map((socket) => closeOf(socket)));
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }

  #own(socket: Socket): Socket {
    if (this.isOver) socket.destroy();
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** Resolves when the connection is gone, however it ended. */
export function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

export function postHead(path: string, contentType: string, more: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${contentType}\r\n${more}\r\n\r\n`;
}

export function getRequest(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`;
}

/** Writes the same bytes for ever, as fast as the other side takes them. */
export function pour(socket: Socket, block: string | Buffer): void {
  const bytes = Buffer.from(block);
  const write = (): void => {
    // At most so many at once: other sockets of this process want their turn.
    for (let nth = 0; nth < 16 && !socket.destroyed; nth += 1) {
      if (!socket.write(bytes)) {
        socket.once('drain', write);
        return;
      }
    }
    if (!socket.destroyed) setImmediate(write);
  };
  write();
}

/** Writes one byte after the other, for ever. */
export function trickle(socket: Socket, everyMs: number, text = 'x'): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(text.charAt(at % text.length));
    at += 1;
  }, everyMs);
  socket.once('close', () => clearInterval(timer));
}
