import type { IncomingHttpHeaders } from 'node:http';

import type { Dispatcher, Pool } from 'undici';

import type { EndSignal } from '../../../shared/domain/ports.js';

/** The result of one request, before it is judged. */
export type Exchange =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** The first bytes of the body of an answer that is no 2xx, at most 1 KiB; of a 2xx nothing is kept. */
      readonly bodyStart: Buffer;
    }
  | { readonly kind: 'broken'; readonly error: unknown; /** The status line and headers had come. */ readonly headersArrived: boolean }
  | { readonly kind: 'aborted'; readonly reason: unknown };

/** The rest of a longer answer is not read: its connection is dropped, and the part that has come counts as the answer. */
const longestAnswerBytes = 64 * 1024;
/** This is enough for the 200 characters that are shown, in any script. */
const keptBytes = 1_024;

const nothing = Buffer.alloc(0);

/**
 * Sends one request and reads its answer.
 *
 * @param signal  ends it at any point: while connecting, sending or reading
 * @returns a promise that always resolves, right after the signal aborts even if undici needs longer to let go
 */
export function exchange(pool: Pool, request: Dispatcher.DispatchOptions, signal: EndSignal): Promise<Exchange> {
  return new Promise((resolve) => {
    const reader = new AnswerReader(signal, resolve);
    signal.addEventListener('abort', reader, { once: true });
    pool.dispatch(request, reader);
  });
}

/** Tells undici to drop the connection. The error is never seen, because the exchange has been settled before. */
class ReadEnough extends Error {}

/**
 * undici's handler, used directly. `request()` builds a stream for each answer, which is not needed here. It also waits
 * for the connection before it notices an abort (7.30: a signal that aborts while the connection is being made is not
 * looked at until the connection stands or fails, up to the connect timeout later).
 */
class AnswerReader implements Dispatcher.DispatchHandler {
  private settled = false;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: IncomingHttpHeaders = {};
  private bytesRead = 0;
  private bytesKept = 0;
  private readonly kept: Buffer[] = [];

  constructor(
    private readonly signal: EndSignal,
    private readonly resolve: (exchange: Exchange) => void,
  ) {}

  /** The signal has aborted. */
  handleEvent(): void {
    const reason: unknown = this.signal.reason;
    if (!this.settle({ kind: 'aborted', reason })) return;
    this.controller?.abort(new ReadEnough());
  }

  /** There is a connection, and nothing has been written to it yet. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.settled) controller.abort(new ReadEnough());
    else this.controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 102, 103 and the like come before the answer.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytesRead += chunk.length;
    if (this.bytesKept < keptBytes && !isSuccess(this.status)) {
      // It is copied: undici's chunk is a window on the whole network buffer and would keep that in memory.
      const part = Buffer.from(chunk.subarray(0, keptBytes - this.bytesKept));
      this.kept.push(part);
      this.bytesKept += part.length;
    }
    if (this.bytesRead >= longestAnswerBytes) {
      this.settleAnswered();
      controller.abort(new ReadEnough());
    }
  }

  onResponseEnd(): void {
    this.settleAnswered();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.settle({ kind: 'broken', error, headersArrived: this.status !== 0 });
  }

  private settleAnswered(): void {
    const bodyStart = this.kept.length === 0 ? nothing : Buffer.concat(this.kept);
    this.settle({ kind: 'answered', status: this.status, headers: this.headers, bodyStart });
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
