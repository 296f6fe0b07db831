import { Socket } from 'node:net';

import type { buildConnector, Dispatcher } from 'undici';
import { Client, errors } from 'undici';

import { AnswerGuard } from './answer-guard.js';
import { mostAnswerBytes } from './answer-limits.js';
import { lookForEarlyBytes } from './early-bytes.js';
import type { OriginUrl } from './origin-url.js';

/**
 * How long an unused connection is kept, in milliseconds. It is shorter than the 5 s after which Node and Apache close
 * theirs, because a POST that meets a closing connection fails. If a server announces less in its Keep-Alive header, that
 * time less 2 s for the way is used. A longer one is ignored: idle connections would pile up.
 */
const keepAliveMs = 4_000;

/**
 * One error for all connections. A new one each time, with its stack, is a tenth of the cost of a first send to a
 * destination.
 */
const notNeeded = new errors.ClientDestroyedError();

export interface ConnectionOptions {
  readonly origin: OriginUrl;
  readonly connect: buildConnector.connector;
  /** Until when it may be lent again, by performance.now(). */
  readonly goodUntilMs: number;
  /** Called with a socket that begins to connect. */
  readonly onSocket: (socket: Socket) => void;
}

/** One connection to an origin, for one request at a time. It is made when the first request is sent over it. */
export class Connection {
  /** The guard of the socket that the present request was written to; undefined before that. */
  sentOn: AnswerGuard | undefined;
  /** The present request found the connection open, from an earlier one. */
  isKept = false;
  private readonly client: Client;
  private readonly goodUntilMs: number;
  private socket: Socket | undefined;
  /** The one that began to connect: another one than `socket` where TLS is spoken through a proxy. */
  private begun: Socket | undefined;

  constructor({ origin, connect, goodUntilMs, onSocket }: ConnectionOptions) {
    this.goodUntilMs = goodUntilMs;
    this.client = new Client(origin, {
      // After the connection is made, the attempt's signal is the exact limit.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      // AnswerHead has the real limit. Above its own, undici (7.30) makes an error with a stack for each further header: seconds
      // of CPU time for one answer.
      maxHeaderSize: 2 * mostAnswerBytes,
      connect: (options, callback) => {
        // undici also comes here when it finds, before it writes, that a kept connection has been closed.
        this.isKept = false;
        // Returned, but not in the types of 7.30; without it a connection being made could not be ended.
        // eslint-disable-next-line @typescript-eslint/no-confusing-void-expression -- void is only what the types say
        const socket: unknown = connect(options, (...made) => {
          if (made[0] === null) this.useUnlessEarly(made[1], callback);
          else callback(...made);
        });
        if (!(socket instanceof Socket)) return;
        this.socket = socket;
        this.begun = socket;
        onSocket(socket);
      },
    });
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.sentOn = undefined;
    this.client.dispatch(request, handler);
  }

  /** Called when a request is over. @returns whether the connection may be good for another one: see isReady */
  rest(): boolean {
    this.sentOn?.head.close();
    const socket = this.sentOn?.socket;
    this.isKept = socket !== undefined && !socket.destroyed && performance.now() < this.goodUntilMs;
    return this.isKept;
  }

  /**
   * Whether another request may be sent over it. Asked one turn of the event loop after the answer: TLS notes only then
   * that a request has been written.
   */
  get isReady(): boolean {
    // After an early answer, what is left of the request would stand before the next one.
    return this.isOpen && this.socket?.writableLength === 0;
  }

  get isOpen(): boolean {
    return this.socket?.destroyed === false;
  }

  /** Ends it, also in mid request, and while it is being made. */
  end(): void {
    // It is not awaited: when it is called while a socket emits `close` (7.30), its promise never resolves.
    void this.client.destroy(notNeeded);
    // This ends only a connection that is being made, which undici leaves alone. It needs an error, or a timer would run on.
    this.socket?.destroy(notNeeded);
    if (this.begun !== this.socket) this.begun?.destroy(notNeeded);
  }

  private useUnlessEarly(socket: Socket, callback: buildConnector.Callback): void {
    lookForEarlyBytes(socket, (error) => {
      if (error !== null) {
        socket.destroy();
        callback(error, null);
        return;
      }
      this.socket = socket;
      new AnswerGuard(socket, this.isFirstWrite);
      callback(null, socket);
    });
  }

  private readonly isFirstWrite = (guard: AnswerGuard): boolean => {
    if (this.sentOn === guard) return false;
    this.sentOn = guard;
    return true;
  };
}
