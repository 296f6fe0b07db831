import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import type { DeliveryAdapter, DeliveryAttempt, DeliveryResult } from '../../../shared/domain/ports.js';
import { TimeLimitReached } from '../../../shared/domain/ports.js';
import type { HttpDestination } from '../../../shared/domain/destinations/http.js';

/** An attempt as deliver-task.ts makes it. */
export function attemptFor(id: string, body = '{"order":1}'): DeliveryAttempt {
  return { taskId: id, run: 1, edit: 0, phase: 'delivery', key: `${id}|0`, body, headers: { 'x-retry-task-id': id, 'x-retry-attempt': '0' } };
}

/** Sends one attempt under a time limit in milliseconds (default 10,000, far more than loopback needs). */
export async function sendTo(
  adapter: DeliveryAdapter<HttpDestination>,
  url: string,
  { attempt = attemptFor('task'), limitMs = 10_000 }: { attempt?: DeliveryAttempt; limitMs?: number } = {},
): Promise<DeliveryResult> {
  const limit = new AbortController();
  const timer = setTimeout(() => { limit.abort(new TimeLimitReached(limitMs)); }, limitMs);
  try {
    return await adapter.send(attempt, { type: 'http', url }, limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** `delivered 200` or the code of the failure: for assertions on many results at once. */
export function inShort(result: DeliveryResult): string {
  if (result.kind === 'failed') return result.code;
  return 'httpStatus' in result.receipt ? `delivered ${result.receipt.httpStatus}` : 'delivered, but not over HTTP';
}

/** A bare TCP server on a free loopback port, for answers that an HTTP server would never give. */
export interface TcpServer {
  readonly port: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** Connections ever made. */
  readonly connectionsMade: number;
  /** All bytes received so far, over all connections. */
  readonly received: Buffer;
  close(): Promise<void>;
}

/** @param onBytes called with every piece that arrives; nothing is ever sent without it */
export async function createTcpServer(onBytes?: (bytes: Buffer, socket: Socket) => void): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  const pieces: Buffer[] = [];
  let connectionsMade = 0;
  const server: Server = createServer((socket) => {
    connectionsMade += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      pieces.push(bytes);
      onBytes?.(bytes, socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address
  return {
    port,
    get openConnections() { return sockets.size; },
    get connectionsMade() { return connectionsMade; },
    get received() { return Buffer.concat(pieces); },
    close: () => new Promise((resolve) => {
      server.close(() => { resolve(); });
      for (const socket of sockets) socket.destroy();
    }),
  };
}
