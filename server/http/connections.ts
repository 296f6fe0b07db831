import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ClosedConnectionsLog, ClosingReason } from './closed-connections-log.js';
import { Connection, type PortState } from './connection.js';
import { joinSmallChunks } from './join-small-chunks.js';

const LOOK_EVERY_MS = 500;
/** What unread answers may have in memory, over all connections. Above it those that have waited longest are cut off. */
const MAX_UNREAD_BYTES = 128 * 1_048_576;
/** A client that has sent or read for this long, and is not done, makes room when connections are used up. */
const SLOW_MS = 5_000;

export interface ConnectionsOptions {
  /** Connections at once. */
  readonly most: number;
  /** See ListenOptions. */
  readonly unreadMs: number;
  readonly log: ClosedConnectionsLog;
}

/** All connections of a port: whose turn it is, how many there may be, and how long an answer may stay unread. */
export class Connections {
  /** The oldest first. */
  readonly #open = new Map<Socket, Connection>();
  /** Those on which no request has come yet, the oldest first. */
  readonly #silent = new Set<Connection>();
  readonly #state: PortState;
  readonly #timer: NodeJS.Timeout;
  /** No connection could make room since the last look, so it is of no use to search again. */
  #isFull = false;

  constructor(
    answer: RequestListener,
    private readonly options: ConnectionsOptions,
  ) {
    this.#state = { answer, unreadMs: options.unreadMs, waiting: 0, isClosing: false };
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  add(socket: Socket): void {
    const connection = new Connection(socket, this.#state);
    this.#open.set(socket, connection);
    this.#silent.add(connection);
    socket.once('close', () => {
      this.#forget(connection);
      connection.closed();
    });
    if (this.#open.size > this.options.most) this.#makeRoomFor(connection);
  }

  /** Answers a request when its turn has come. */
  take(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(request.socket);
    if (connection === undefined) return;
    if (!connection.hasAsked) {
      connection.hasAsked = true;
      this.#silent.delete(connection);
    }
    if (request.headers['transfer-encoding'] !== undefined) joinSmallChunks(request);
    connection.take(request, response);
  }

  /** @returns undefined for a connection that is closed */
  of(socket: Socket): Connection | undefined {
    return this.#open.get(socket);
  }

  /** From now on each answer is the last one of its connection. */
  beginToClose(): void {
    this.#state.isClosing = true;
  }

  /** Ends the connections on which nothing is being answered. */
  endUnused(): void {
    for (const connection of this.#open.values()) if (!connection.isBusy) connection.socket.destroy();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.options.log.write();
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection.socket);
    this.#silent.delete(connection);
  }

  /** Those that use their connection least go first. */
  #makeRoomFor(newest: Connection): void {
    const [silent] = this.#silent;
    if (silent !== undefined && silent !== newest) {
      this.#end(silent, 'silent');
      return;
    }
    const [first, ...more] = this.#isFull ? [] : this.#dispensable();
    if (first === undefined) {
      this.#isFull = true;
      this.#end(newest, 'refused');
      return;
    }
    for (const { connection, why } of [first, ...more]) this.#end(connection, why);
  }

  /** Unused connections, a few at once because the search is dear; or else the one that has been slow for the longest time. */
  #dispensable(): { readonly connection: Connection; readonly why: ClosingReason }[] {
    const unused = [...this.#open.values()].filter((connection) => connection.hasAsked && !connection.isBusy).slice(0, 1 + this.options.most / 100);
    if (unused.length > 0) return unused.map((connection) => ({ connection, why: 'unused' }));
    const slow = this.#waitingForClient().filter(({ since }) => performance.now() - since > SLOW_MS);
    return slow.slice(0, 1).map(({ connection }) => ({ connection, why: 'slow' }));
  }

  #end(connection: Connection, why: ClosingReason): void {
    // The event comes later, and the next new connection must not choose the same one.
    this.#forget(connection);
    connection.closed();
    connection.socket.destroy();
    this.options.log.add(why);
  }

  #look(): void {
    const now = performance.now();
    this.#isFull = false;
    let unreadBytes = 0;
    for (const connection of this.#open.values()) {
      connection.look(now);
      unreadBytes += connection.socket.writableLength;
    }
    if (unreadBytes > MAX_UNREAD_BYTES) {
      for (const { connection } of this.#waitingForClient()) {
        const bytes = connection.socket.writableLength;
        if (bytes === 0) continue;
        this.#end(connection, 'unread');
        unreadBytes -= bytes;
        if (unreadBytes <= MAX_UNREAD_BYTES) break;
      }
    }
    this.options.log.writeWhenDue();
  }

  /** Connections that wait for their client, the longest first. */
  #waitingForClient(): { readonly connection: Connection; readonly since: number }[] {
    return [...this.#open.values()]
      .flatMap((connection) => (connection.waitsForClientSince === undefined ? [] : [{ connection, since: connection.waitsForClientSince }]))
      .sort((a, b) => a.since - b.since);
  }
}
