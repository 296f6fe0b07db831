import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** What a raw receiver does with one request. */
export interface RawAnswer {
  /** Written one after the other, each in a packet of its own. */
  readonly pieces: readonly (string | Buffer)[];
  /** After the last piece. Default `stay`: the connection is left open. */
  readonly then?: 'stay' | 'close' | 'reset';
}

/** A request that has come completely. */
export interface RawRequest {
  /** As sent: `/path?query`. */
  readonly path: string;
  /** X-Message-Key */
  readonly key: string;
  /** Connections to this receiver count from 1. */
  readonly connection: number;
  /** Requests over this connection count from 1. */
  readonly nthOfConnection: number;
}

/** A receiver that writes bytes, where an HTTP server would write a valid answer. */
export interface RawReceiver {
  readonly port: number;
  url(path?: string): string;
  readonly requests: readonly RawRequest[];
  readonly openConnections: number;
  readonly connectionsMade: number;
  close(): Promise<void>;
}

/** Long enough for one piece to be read before the next one comes, in milliseconds. */
const betweenPiecesMs = 3;

/**
 * @param answer  is called for each complete request, with its connection for what a RawAnswer cannot say. Without
 *                pieces nothing is written
 */
export async function createRawReceiver(answer: (request: RawRequest, socket: Socket) => RawAnswer, host = '127.0.0.1', port = 0): Promise<RawReceiver> {
  const sockets = new Set<Socket>();
  const requests: RawRequest[] = [];
  let connectionsMade = 0;
  const server = createServer((socket) => {
    connectionsMade += 1;
    const connection = connectionsMade;
    let nthOfConnection = 0;
    let unread = '';
    sockets.add(socket.setNoDelay());
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      unread += text;
      for (let request = /^POST (\S+) [^]*?\r\n\r\n/.exec(unread); request !== null; request = /^POST (\S+) [^]*?\r\n\r\n/.exec(unread)) {
        const [head, path = ''] = request;
        const length = head.length + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
        if (unread.length < length) return;
        unread = unread.slice(length);
        nthOfConnection += 1;
        const complete = { path, key: /^x-message-key: (.*)\r/im.exec(head)?.[1] ?? '', connection, nthOfConnection };
        requests.push(complete);
        void write(socket, answer(complete, socket));
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo; // a listening TCP server has no other kind of address
  return {
    port: address.port,
    url: (path = '/') => `http://${host}:${address.port}${path}`,
    requests,
    get openConnections() { return sockets.size; },
    get connectionsMade() { return connectionsMade; },
    close: () => new Promise((resolve) => {
      server.close(() => { resolve(); });
      for (const socket of sockets) socket.destroy();
    }),
  };
}

async function write(socket: Socket, { pieces, then = 'stay' }: RawAnswer): Promise<void> {
  for (const [nth, piece] of pieces.entries()) {
    if (nth > 0) await wait(betweenPiecesMs);
    if (socket.destroyed) return;
    socket.write(piece);
  }
  if (then === 'close') socket.end();
  // A reset throws away what the other side has not read yet.
  if (then === 'reset') {
    await wait(betweenPiecesMs);
    socket.resetAndDestroy();
  }
}
