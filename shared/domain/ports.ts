import type { Destination, Receipt } from './destinations/destination.js';
import type { DeliveryErrorCode } from './errors.js';

/** What the outer rooms provide to the rules in here. */

/** Milliseconds since the epoch, whole. */
export type Clock = () => number;

/** A number in [0, 1), drawn by the caller, so that a rule can be tested as a table. */
export type Random = () => number;

/** One send: everything an adapter needs, and nothing it could decide by. */
export interface DeliveryAttempt {
  readonly taskId: string;
  /** `<id>|<attempt>`, or `<id>|dead|<sends>` for a dead letter; any well-formed Unicode without control characters. */
  readonly key: string;
  /** message_data: these characters as UTF-8, byte for byte. */
  readonly body: string;
  /** Provenance; values are any well-formed Unicode without control characters. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an adapter saw. What follows from it is decided in outcome.ts. */
export type DeliveryResult =
  | {
      readonly kind: 'delivered';
      /** Proof to show a person: the HTTP status, or partition and offset. */
      readonly receipt: Receipt;
    }
  | {
      readonly kind: 'failed';
      readonly code: DeliveryErrorCode;
      /** For people: what the other side said, at most 500 characters. Never decided by. */
      readonly detail: string;
      readonly httpStatus?: number;
      /** What a 429 or 503 asked for, in whole milliseconds from now. */
      readonly retryAfterMs?: number;
    };

/**
 * Reasons an attempt's signal aborts with. Anything else that aborts it is a bug.
 * `TimeLimitReached`: the total time of one attempt is over (code `timed_out`).
 * `ShuttingDown`: this process was told to stop (code `shutting_down`, uses no attempt).
 */
export class TimeLimitReached extends Error {
  constructor(readonly limitMs: number) {
    super(`no complete answer within ${limitMs} ms`);
    this.name = 'TimeLimitReached';
  }
}
export class ShuttingDown extends Error {
  constructor() {
    super('the worker is shutting down');
    this.name = 'ShuttingDown';
  }
}

/**
 * Tells a send to end, at once or never. An AbortSignal is one; workers/delivery/send-signal.ts is a lighter one.
 * A listener is called once.
 */
export interface EndSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: (() => void) | { handleEvent(): void }, options?: { once: boolean }): void;
  removeEventListener(type: 'abort', listener: (() => void) | { handleEvent(): void }): void;
}

/** Sends one attempt to one type of destination. Never retries, logs or touches the queue. */
export interface DeliveryAdapter<D extends Destination = Destination> {
  readonly type: D['type'];
  /**
   * @param attempt  what to send
   * @param signal   aborts at the attempt's total time limit or at shutdown; its reason says which
   * @returns what was seen. Resolves for anything the receiver or the network does, and soon after the
   *          signal aborts; rejects only for a bug of ours.
   */
  send(attempt: DeliveryAttempt, destination: D, signal: EndSignal): Promise<DeliveryResult>;
  /**
   * Ends all connections; sends in flight, and any after it, resolve as failed with `shutting_down`.
   * Safe before the first send, and safe twice.
   */
  close(): Promise<void>;
}
