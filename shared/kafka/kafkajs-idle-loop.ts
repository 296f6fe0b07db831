import { requireKnownKafkajs } from './kafkajs-version.js';

const isStopped = Symbol.for('kafka-retry-service.kafkajs-idle-loop-stopped');

/**
 * Stops the timer that each connected kafkajs socket re-arms about every millisecond, busy or idle (4.5% of a core
 * for one). `RequestQueue.scheduleCheckPendingRequests` (src/network/requestQueue/index.js) arms a timer of -1 ms
 * that calls it again, also when nothing waits in the queue. The patch: no timer while nothing waits. Its only other
 * callers are `push`, which has just queued something, and `checkPendingRequests`, so nothing that waits is forgotten.
 *
 * Lost alternatives: a fork, for one line; `maxInFlightRequests`, which does not touch the timer.
 *
 * @returns whether the loop is stopped. false: this kafkajs is another one than was patched, and is left alone
 */
export function stopKafkajsIdleLoop(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;

  const RequestQueue: unknown = require('kafkajs/src/network/requestQueue');
  if (typeof RequestQueue !== 'function') return false;
  const prototype: unknown = RequestQueue.prototype;
  if (!hasSchedule(prototype)) return false;
  if (isStopped in prototype) return true;

  const { scheduleCheckPendingRequests } = prototype;
  prototype.scheduleCheckPendingRequests = function (this: PendingQueue): void {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
  Object.defineProperty(prototype, isStopped, { value: true });
  return true;
}

interface PendingQueue {
  readonly pending: readonly unknown[];
}

interface SchedulingPrototype {
  scheduleCheckPendingRequests: (this: PendingQueue) => void;
}

function hasSchedule(prototype: unknown): prototype is SchedulingPrototype {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    'scheduleCheckPendingRequests' in prototype &&
    typeof prototype.scheduleCheckPendingRequests === 'function'
  );
}
