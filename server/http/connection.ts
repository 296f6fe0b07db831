import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '../../shared/domain/errors.js';
import type { BodyBudget } from './body-budget.js';
import { refuseBody } from './refuse-body.js';
import { UploadPace } from './upload-pace.js';
import type { WorkTurns } from './work-turns.js';

/** What all connections of a port have in common. */
export interface PortState {
  readonly answer: RequestListener;
  /** Requests begin in turns, since thousands may be ready at the same moment. */
  readonly turns: WorkTurns;
  readonly bodyBudget: Pick<BodyBudget, 'bytesOf'>;
  /** A client that takes nothing of an answer for this long is cut off, within twice this time (see `look`). */
  readonly unreadMs: number;
  /** Requests that wait behind another one of their connection, over all connections. */
  waiting: number;
  /** The port takes no new connections, and each answer is the last one of its connection. */
  isClosing: boolean;
  /** The time is over in which a client may still use a connection that it takes for kept. */
  isEnding: boolean;
}

/**
 * One piece of 64 KiB holds up to 2,500 requests, and each takes some 5 KB as long as it waits. When more than this many
 * wait in all, connections with more than a few of them are cut.
 */
const MAX_WAITING_IN_ALL = 10_000;
const WAITING_OF_EACH = 16;
/** By then even a slow client has to have the whole answer; the time that its request took is part of it. */
const MAX_ANSWER_MS = 600_000;
/** After a refusal, what still comes is read for this long. Unread bytes would make the system drop the answer. */
const STILL_READ_MS = 1_000;
/**
 * A client that has ended its side may still read its answer (RFC 9112, 9.6), or be gone: only an answer would tell. So
 * its answer is waited for only so long.
 */
const HALF_CLOSED_MS = 30_000;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * One client's connection. Its requests are answered one after the other. Node would begin all requests of a piece of
 * input at once: 1,000 pipelined ones held up all other clients for half a second.
 */
export class Connection {
  /** A request has come on it, with all its headers. */
  hasAsked = false;
  /** When it was first seen to wait for its client: for the rest of a request, or until an answer is read. Monotonic ms. */
  waitsForClientSince: number | undefined;
  #current: Exchange | undefined;
  #waiting: Exchange[] = [];
  #willPause = false;
  /** The answer to bytes that are no request. It is the last one. */
  #refusal: string | undefined;
  /** The response of the last look, and whether the reading of it is timed. */
  #seen: ServerResponse | undefined;
  #isTimed = false;
  /** Its answer tells the client that nothing more is taken on the connection. */
  #isLast = false;
  readonly #pace = new UploadPace();
  /** When it was first seen that the client has ended its side. Monotonic ms. */
  #halfClosedSince: number | undefined;

  constructor(
    readonly socket: Socket,
    private readonly port: PortState,
  ) {}

  /** The client sends nothing more. */
  get isHalfClosed(): boolean {
    return this.socket.readableEnded;
  }

  /** Whether a request is being answered, or comes next. */
  get isBusy(): boolean {
    return this.#current !== undefined || this.#refusal !== undefined;
  }

  /** Requests that are being answered or wait for their turn. */
  get requestsInFlight(): number {
    return (this.#current === undefined ? 0 : 1) + this.#waiting.length;
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    // The rest of a piece of input goes on being parsed after its connection was cut.
    if (this.socket.destroyed) return;
    if (this.#current === undefined) {
      this.#current = { request, response };
      this.port.turns.begin(this.#begin);
      return;
    }
    this.#waiting.push({ request, response });
    this.port.waiting += 1;
    if (this.port.waiting > MAX_WAITING_IN_ALL && this.#waiting.length > WAITING_OF_EACH) this.socket.destroy();
    else this.#pauseSoon();
  }

  /** The answer under way is the last one, if that can still be said. */
  announceEnd(): void {
    const response = this.#current?.response;
    if (response === undefined || response.headersSent) return;
    response.setHeader('Connection', 'close');
    this.#isLast = true;
  }

  /** What has come is no request, or does not come whole. @param refusal the bytes to send before the end */
  refuse(refusal: string): void {
    // Bytes behind the first fault are faulty as well.
    if (this.#refusal !== undefined) return;
    this.#refusal = refusal;
    if (this.#current === undefined || !this.#current.request.complete) this.#sendRefusal(refusal);
  }

  /** Looks whether it waits for its client, and ends it when that takes too long. @param now monotonic ms */
  look(now: number): void {
    const { socket } = this;
    if (this.isHalfClosed && now - (this.#halfClosedSince ??= now) > HALF_CLOSED_MS && socket.writableLength === 0) {
      socket.destroy();
      return;
    }
    this.#lookAtUpload(now);
    const response = this.#current?.response;
    const isUnread = socket.writableLength > 0;
    const isWaiting = isUnread || this.#current?.request.complete === false;
    if (!isWaiting || response !== this.#seen) {
      this.#seen = response;
      this.#isTimed = false;
      this.waitsForClientSince = undefined;
    }
    // The first look may have come before the answer was there.
    if (isWaiting) this.waitsForClientSince ??= now;
    if (!isUnread) return;
    if (!this.#isTimed) {
      this.#isTimed = true;
      // Node looks whether the system has taken some bytes since its last look. The first time passes in vain, because it
      // compares with the size of the answer. The time is taken off when the answer has ended, by Node or in #ended.
      socket.setTimeout(this.port.unreadMs);
    } else if (this.waitsForClientSince !== undefined && now - this.waitsForClientSince > MAX_ANSWER_MS) {
      socket.destroy();
    }
  }

  #lookAtUpload(now: number): void {
    const request = this.#current?.request;
    if (request === undefined) return;
    // Bytes that the handler has not taken yet are no delay of the client.
    const isWaitedFor = !request.complete && request.readableLength === 0;
    if (!this.#pace.isTooSlow(isWaitedFor ? this.port.bodyBudget.bytesOf(request) : 0, this.socket.bytesRead, now)) return;
    if (!refuseBody(request, new RequestError('request_timed_out', 'the body came too slowly', undefined, { notes: { limit: 'pace of a large body' } }))) this.socket.destroy();
  }

  /** The socket has closed: what waits is not begun any more. */
  closed(): void {
    this.port.waiting -= this.#waiting.length;
    this.#waiting = [];
  }

  /** Begins the current request. An arrow function: one for the connection instead of one for each of its requests. */
  readonly #begin = (): void => {
    if (this.socket.destroyed || this.#current === undefined) return;
    const { request, response } = this.#current;
    if (this.port.isClosing) this.announceEnd();
    response.once('close', this.#ended);
    this.port.answer(request, response);
  };

  /** An arrow function, too. */
  readonly #ended = (): void => {
    this.#current = undefined;
    const { socket } = this;
    if (socket.destroyed) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.port.waiting -= 1;
    if (this.#refusal !== undefined && next?.request.complete !== true) {
      this.#sendRefusal(this.#refusal);
    } else if (next !== undefined) {
      this.#current = next;
      if (this.#isTimed) socket.setTimeout(0);
      if (this.#waiting.length === 0) socket.resume();
      // Other connections get their turn before each of them.
      setImmediate(() => this.port.turns.begin(this.#begin));
    } else if (this.#isLast || this.port.isEnding) {
      // Behind an answer that did not say so the client's next request may be on its way, and would be lost.
      socket.end();
    }
  };

  /**
   * Nothing more is read before the requests that have come are answered. It waits until the piece of input is parsed:
   * Node goes on reading at the end of each request.
   */
  #pauseSoon(): void {
    if (this.#willPause) return;
    this.#willPause = true;
    process.nextTick(() => {
      this.#willPause = false;
      if (this.#waiting.length > 0) this.socket.pause();
    });
  }

  #sendRefusal(refusal: string): void {
    const { socket } = this;
    if (!socket.writable || this.#current?.response.headersSent === true) {
      socket.destroy();
      return;
    }
    socket.end(refusal);
    setTimeout(() => socket.destroy(), STILL_READ_MS).unref();
  }
}
