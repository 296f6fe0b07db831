import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ClosedConnectionsLog, ClosingReason } from './closed-connections-log.js';
import { Connection, type PortState } from './connection.js';
import { joinSmallChunks } from './join-small-chunks.js';
import type { LargeAnswers } from './large-answers.js';
import { limitTrailers } from './limit-trailers.js';

const LOOK_EVERY_MS = 500;
/** What unread answers may have in memory, over all connections. Above it those that have waited longest are cut off. */
const MAX_UNREAD_BYTES = 128 * 1_048_576;
const LARGE_ANSWER_BYTES = 65_536;
/** While a large answer waits for room, another one that is unread for this long makes room. */
const UNREAD_IN_THE_WAY_MS = 2_000;
/** A client that has sent or read for this long, and is not done, makes room when connections are used up. */
const SLOW_MS = 5_000;

export interface ConnectionsOptions extends Pick<PortState, 'turns' | 'bodyBudget'> {
  /** Connections at once. */
  readonly most: number;
  /** See ListenOptions. */
  readonly unreadMs: number;
  readonly maxHeaderLines: number;
  readonly log: ClosedConnectionsLog;
  readonly largeAnswers: Pick<LargeAnswers, 'areTooMany'>;
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
    const { unreadMs, turns, bodyBudget } = options;
    this.#state = { answer, unreadMs, turns, bodyBudget, waiting: 0, isClosing: false, isEnding: false };
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
    if (request.headers['transfer-encoding'] !== undefined) {
      limitTrailers(request, this.options.maxHeaderLines);
      joinSmallChunks(request);
    }
    connection.take(request, response);
  }

  /** @returns undefined for a connection that is closed */
  of(socket: Socket): Connection | undefined {
    return this.#open.get(socket);
  }

  /** How many requests are being answered, or wait for their turn. */
  get requestsInFlight(): number {
    let requests = 0;
    for (const connection of this.#open.values()) requests += connection.requestsInFlight;
    return requests;
  }

  /** From now on each answer is the last one of its connection. */
  beginToClose(): void {
    this.#state.isClosing = true;
    for (const connection of this.#open.values()) connection.announceEnd();
  }

  /** Ends the connections on which nothing is being answered, and from now on each of the others behind its answer. */
  endUnused(): void {
    this.#state.isEnding = true;
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
    // Most clients that end their side while they wait have gone.
    const halfClosed = [...this.#open.values()].find((connection) => connection.isHalfClosed);
    if (halfClosed !== undefined) return [{ connection: halfClosed, why: 'half_closed' }];
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
    if (unreadBytes > MAX_UNREAD_BYTES || this.options.largeAnswers.areTooMany) this.#cutUnread(unreadBytes, now);
    this.options.log.writeWhenDue();
  }

  /** Ends connections whose answers are not read, the one that has waited longest first. */
  #cutUnread(unreadBytes: number, now: number): void {
    let left = unreadBytes;
    let isInTheWay = this.options.largeAnswers.areTooMany;
    for (const { connection, since } of this.#waitingForClient()) {
      const bytes = connection.socket.writableLength;
      if (bytes === 0) continue;
      const makesRoom = isInTheWay && bytes >= LARGE_ANSWER_BYTES && now - since >= UNREAD_IN_THE_WAY_MS;
      if (left <= MAX_UNREAD_BYTES && !makesRoom) continue;
      if (makesRoom) isInTheWay = false;
      this.#end(connection, 'unread');
      left -= bytes;
    }
  }

  /** Connections that wait for their client, the longest first. */
  #waitingForClient(): { readonly connection: Connection; readonly since: number }[] {
    return [...this.#open.values()]
      .flatMap((connection) => (connection.waitsForClientSince === undefined ? [] : [{ connection, since: connection.waitsForClientSince }]))
      .sort((a, b) => a.since - b.since);
  }
}
