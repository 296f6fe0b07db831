import type { Destination, Receipt } from './destinations/destination.js';
import type { DeliveryErrorCode } from './errors.js';
import type { TraceContext } from './trace-context.js';

/** The outer rooms provide these things to the rules in here. */

/** Whole milliseconds since the epoch. */
export type Clock = () => number;

/** A number in [0, 1), drawn by the caller, so that a rule can be tested as a table. */
export type Random = () => number;

/** One send: everything that an adapter needs, and nothing that it could decide by. */
export interface DeliveryAttempt {
  readonly taskId: string;
  /** With the id they name one message, whatever attempt brings it. */
  readonly run: number;
  readonly edit: number;
  readonly phase: 'delivery' | 'dead';
  /** `<id>|<attempt>`, or `<id>|dead|<sends>` for a dead letter; any well-formed Unicode without control characters. */
  readonly key: string;
  /** message_data: these characters as UTF-8, byte for byte. */
  readonly body: string;
  /** Provenance; values are any well-formed Unicode without control characters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as `traceparent` and `tracestate`, unless the destination has one of these headers itself. */
  readonly trace?: TraceContext | undefined;
}

/** The result that an adapter saw. outcome.ts decides what follows from it. */
export type DeliveryResult =
  | {
      readonly kind: 'delivered';
      /** Proof to show a person: the HTTP status, or partition and offset. */
      readonly receipt: Receipt;
    }
  | {
      readonly kind: 'failed';
      readonly code: DeliveryErrorCode;
      /** What the other side said, for people, at most 500 characters. No rule reads it. */
      readonly detail: string;
      readonly httpStatus?: number;
      /** The wait that a 429, a 503 or a broker's quota asked for, in whole milliseconds from now. */
      readonly retryAfterMs?: number;
      /** It concerns one part of the destination's host, such as a partition. The host is well, and other tasks may go there. */
      readonly isHostWell?: true;
      /** Where `isHostWell`: it is the whole endpoint that fails, not a part of it, such as one of several partitions. */
      readonly isOfWholeEndpoint?: true;
    };

/**
 * Reasons with which the signal of an attempt aborts. Any other reason is a bug.
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
 * Tells a send to end, at most once. An AbortSignal is one; workers/delivery/send-signal.ts is a lighter one. A listener is
 * called once.
 */
export interface EndSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: (() => void) | { handleEvent(): void }, options?: { once: boolean }): void;
  removeEventListener(type: 'abort', listener: (() => void) | { handleEvent(): void }): void;
}

/** Sends one attempt to one type of destination. It never retries, logs or touches the queue. */
export interface DeliveryAdapter<D extends Destination = Destination> {
  readonly type: D['type'];
  /**
   * @param attempt  what to send
   * @param signal   aborts at the attempt's total time limit or at shutdown; its reason says which
   * @returns the result. It resolves whatever the receiver or the network does, and soon after the signal aborts; it
   *          rejects only for a bug of ours.
   */
  send(attempt: DeliveryAttempt, destination: D, signal: EndSignal): Promise<DeliveryResult>;
  /**
   * Ends all connections. Sends in flight, and any after it, resolve as failed with `shutting_down`. It may be called
   * before the first send, and twice.
   */
  close(): Promise<void>;
}
