import { judgeTimeLimit } from '../lifecycle/time-limit.js';
import { requireKnownKafkajs } from './kafkajs-version.js';

const isPatched = Symbol.for('kafka-retry-service.kafkajs-request-timeouts-patched');
/** How often kafkajs looks for requests without an answer, ms; the shorter of this and the timeout itself. */
const LOOK_EVERY_MS = 100;

/** The parts of a request of kafkajs that are needed here. */
interface SocketRequest {
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

/** The parts of the queue of a connection that are needed here. */
interface RequestQueue {
  readonly enforceRequestTimeout: boolean;
  readonly requestTimeout: number;
  /** Requests that were sent and not answered, by correlation id. */
  readonly inflight: ReadonlyMap<number, SocketRequest>;
  readonly isConnected: () => boolean;
  requestTimeoutIntervalId?: NodeJS.Timeout;
  /** Ends the interval. */
  destroy(): void;
  scheduleRequestTimeoutCheck(): void;
}

/**
 * Lets kafkajs measure by the monotonic clock how long a request waits for its answer, and read the sockets once more
 * before it gives up. `RequestQueue.scheduleRequestTimeoutCheck` (src/network/requestQueue/index.js) compares Date.now: when
 * the clock was set forward by an hour, every request under way had timed out, and was sent again though it was stored.
 *
 * @returns whether it is in force. false: this kafkajs is another one than was patched, and is left alone
 */
export function patchKafkajsRequestTimeouts(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;

  const RequestQueueClass: unknown = require('kafkajs/src/network/requestQueue');
  if (typeof RequestQueueClass !== 'function') return false;
  const prototype: unknown = RequestQueueClass.prototype;
  if (!hasCheck(prototype)) return false;
  if (isPatched in prototype) return true;
  prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue): void {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    this.requestTimeoutIntervalId = watchRequests(this);
  };
  Object.defineProperty(prototype, isPatched, { value: true });
  return true;
}

function watchRequests(queue: RequestQueue): NodeJS.Timeout {
  const everyMs = Math.min(queue.requestTimeout, LOOK_EVERY_MS);
  /** When a request was first seen without an answer, monotonic ms. */
  const seenAt = new WeakMap<SocketRequest, number>();
  /** How often a request was given more time, because a look was late. */
  const extensions = new WeakMap<SocketRequest, number>();
  let dueAt = performance.now() + everyMs;
  const look = (): void => {
    const now = performance.now();
    for (const [id, request] of queue.inflight) {
      const since = seenAt.get(request) ?? now;
      seenAt.set(request, since);
      if (now - since <= request.requestTimeout) continue;
      judgeTimeLimit(dueAt, extensions.get(request) ?? 0, {
        isStillMissing: () => queue.inflight.get(id) === request,
        // The next look judges it.
        extend: (_ms, extended) => void extensions.set(request, extended),
        onOver: () => request.timeoutRequest(),
      });
    }
    dueAt = now + everyMs;
    if (!queue.isConnected()) queue.destroy();
  };
  return setInterval(look, everyMs);
}

function hasCheck(prototype: unknown): prototype is RequestQueue {
  return typeof prototype === 'object' && prototype !== null && 'scheduleRequestTimeoutCheck' in prototype && typeof prototype.scheduleRequestTimeoutCheck === 'function';
}
