import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

import type { Dispatcher } from 'undici';

import type { EndSignal } from '../../../shared/domain/ports.js';
import type { AnswerGuard } from './answer-guard.js';
import { mostBodyBytes } from './answer-limits.js';
import { classifyFailure } from './classify-failure.js';
import type { Connection } from './connection.js';

/** Values are arrays where a header came several times. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The result of one request, before it is judged. */
export type Exchange =
  | {
      readonly kind: 'answered';
      /** 101, or 200..999. */
      readonly status: number;
      readonly headers: AnswerHeaders;
      /** The first bytes of the body: see KeptBody. */
      readonly bodyStart: Buffer;
      readonly isStale: boolean;
    }
  | {
      readonly kind: 'broken';
      readonly error: unknown;
      /** The request met the end of a kept connection. This says nothing of the message, which may be sent again at once. */
      readonly isStale: boolean;
    }
  | { readonly kind: 'aborted'; readonly reason: unknown };

/** What is kept of the body of an answer. */
export interface KeptBody {
  readonly keptBytes: number;
  /** Also of a 2xx. */
  readonly keepsSuccess: boolean;
}

/** 1 KiB is enough for the 200 characters that are shown, in any script. */
const ofRefusals: KeptBody = { keptBytes: 1_024, keepsSuccess: false };

/**
 * A kept connection whose end was on its way when a request was written to it ends within one round trip. After this
 * time, in milliseconds, it was ended by a receiver that had the request.
 */
const longestRoundTripMs = 500;

const nothing = Buffer.alloc(0);

/**
 * Sends one request and reads its answer.
 *
 * @param signal  ends it at any point: while connecting, sending or reading; an answer whose status line has come by then
 *                counts
 * @param kept    by default 1 KiB of an answer that is no 2xx
 * @returns a promise that always resolves, right after the signal aborts even if undici needs longer to let go
 */
export function exchange(connection: Connection, request: Dispatcher.DispatchOptions, signal: EndSignal, kept: KeptBody = ofRefusals): Promise<Exchange> {
  return new Promise((resolve) => {
    const reader = new AnswerReader(connection, signal, kept, resolve);
    signal.addEventListener('abort', reader, { once: true });
    connection.dispatch(request, reader);
  });
}

/** Tells undici to drop the connection. The error is never seen, because the exchange has been settled before. */
class ReadEnough extends Error {}

/**
 * undici's handler, used directly. `request()` builds a stream for each answer, which is not needed here. It also waits
 * for the connection before it notices an abort (7.30: a signal that aborts while the connection is being made is not
 * looked at until the connection stands or fails, up to the connect timeout later).
 *
 * Interim answers (1xx) do not come here: AnswerHead leaves them out.
 */
class AnswerReader implements Dispatcher.DispatchHandler {
  private settled = false;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: AnswerHeaders | undefined;
  private bytesRead = 0;
  private bytesKept = 0;
  private readonly kept: Buffer[] = [];

  constructor(
    private readonly connection: Connection,
    private readonly signal: EndSignal,
    private readonly keeps: KeptBody,
    private readonly resolve: (exchange: Exchange) => void,
  ) {}

  /** The signal has aborted. Of an answer that has begun only the rest is missing, which decides nothing. */
  handleEvent(): void {
    if (this.takeHead()) this.settleAnswered();
    else this.settle({ kind: 'aborted', reason: this.signal.reason });
    this.controller?.abort(new ReadEnough());
  }

  /** There is a connection, and nothing has been written to it yet. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.settled) controller.abort(new ReadEnough());
    else this.controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.headers = headers;
    // A 205 has no content (RFC 9110, 15.3.6), whatever length it announces. undici knows this only of 204 and 304.
    if (status !== 205 || headers['content-length'] === '0') return;
    this.settleAnswered();
    controller.abort(new ReadEnough());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytesRead += chunk.length;
    const { keptBytes, keepsSuccess } = this.keeps;
    if (this.bytesKept < keptBytes && (keepsSuccess || !isSuccess(this.status))) {
      // It is copied: undici's chunk is a window on the whole network buffer and would keep that in memory.
      const part = Buffer.from(chunk.subarray(0, keptBytes - this.bytesKept));
      this.kept.push(part);
      this.bytesKept += part.length;
    }
    if (this.bytesRead >= mostBodyBytes) {
      this.settleAnswered();
      controller.abort(new ReadEnough());
    }
  }

  onResponseEnd(): void {
    const guard = this.connection.sentOn;
    if (guard !== undefined && this.isIdleTimeout(guard)) this.settleIdleTimeout(guard.socket);
    else if (guard?.socket.writableNeedDrain === true && isSuccess(this.status)) this.settleWhenSent(guard.socket);
    else this.settleAnswered();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    const guard = this.connection.sentOn;
    if (guard !== undefined && this.takeHead()) this.settleAnswered(this.isIdleTimeout(guard));
    else this.settle({ kind: 'broken', error, isStale: this.metAnEnd(error) });
  }

  /**
   * The one place that says what counts as an answer: a final status line that has come completely. Whatever is wrong
   * behind it (a header, a length, a chunk, too many bytes, the end of the connection, the time limit), the receiver has
   * spoken. What it took must not be sent again for a slip of form.
   *
   * @returns whether there is an answer; then its status is known, and the headers that came completely
   */
  private takeHead(): boolean {
    const head = this.connection.sentOn?.head;
    if (head === undefined || head.status === 0) return false;
    this.status = head.status;
    this.headers ??= head.headers();
    return true;
  }

  /**
   * Many servers and proxies write a 408 to a kept connection when it has been idle for long, and end it. When it crosses
   * our request, it is no answer to it. A receiver that means the request keeps the connection.
   */
  private isIdleTimeout(guard: AnswerGuard): boolean {
    return this.status === 408 && guard.requests > 1;
  }

  /** The end comes with the answer, or some time behind it: some servers write, and close later. */
  private settleIdleTimeout(socket: Socket): void {
    const done = (): void => {
      clearTimeout(limit);
      socket.off('end', done);
      socket.off('close', done);
      this.settleAnswered(socket.destroyed || socket.readableEnded);
    };
    const limit = setTimeout(done, longestRoundTripMs);
    if (socket.destroyed || socket.readableEnded) done();
    socket.on('end', done);
    socket.on('close', done);
  }

  /** A receiver may accept a message before it has read all of it. It is delivered when the rest has gone out, too. */
  private settleWhenSent(socket: Socket): void {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      this.settleAnswered();
    };
    socket.on('drain', done);
    socket.on('close', done);
  }

  /** Whether the request met the end of a connection that was kept for it. */
  private metAnEnd(error: unknown): boolean {
    const { sentOn, isKept } = this.connection;
    // Whatever came over it, or ended it: nothing was written.
    if (sentOn === undefined) return isKept;
    return sentOn.requests > 1
      && sentOn.bytesRead === 0
      && performance.now() - sentOn.writtenAtMs < longestRoundTripMs
      && classifyFailure(error) === 'connection_reset';
  }

  private settleAnswered(isStale = false): void {
    const bodyStart = this.kept.length === 0 ? nothing : Buffer.concat(this.kept);
    this.settle({ kind: 'answered', status: this.status, headers: this.headers ?? {}, bodyStart, isStale });
  }

  private settle(exchange: Exchange): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.signal.removeEventListener('abort', this);
    this.resolve(exchange);
    return true;
  }
}

/** Whether the status means that the task was delivered. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}
