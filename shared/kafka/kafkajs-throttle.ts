import { LONGEST_THROTTLE_MS } from './broker-sockets.js';
import { requireKnownKafkajs } from './kafkajs-version.js';

const isPatched = Symbol.for('kafka-retry-service.kafkajs-throttle-patched');
/** What kafkajs writes and reads while a broker asks for no wait. */
const NOT_THROTTLED = -1;

/** The end of the wait that a broker asked for, monotonic milliseconds, by the queue of its connection. */
const throttledUntil = new WeakMap<object, number>();

/**
 * Lets the wait that a broker asks for (KIP-219) go by the monotonic clock, and bounds it. kafkajs keeps its end as a time of
 * day, in `RequestQueue.throttledUntil` (src/network/requestQueue/index.js), and compares it with Date.now: a clock that is
 * set back by an hour made an hour of a wait of one second, and one that is set forward ended it.
 *
 * The field becomes one that is computed: whenever kafkajs reads it, it is as far from the time of day as the end of the wait
 * is from now. So the methods that use it stay as they are.
 *
 * @returns whether it is in force. false: this kafkajs is another one than was patched, and is left alone
 */
export function patchKafkajsThrottle(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;

  const RequestQueueClass: unknown = require('kafkajs/src/network/requestQueue');
  if (typeof RequestQueueClass !== 'function') return false;
  const prototype: unknown = RequestQueueClass.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  if (isPatched in prototype) return true;
  Object.defineProperty(prototype, 'throttledUntil', {
    get(this: object): number {
      const until = throttledUntil.get(this);
      if (until === undefined) return NOT_THROTTLED;
      const leftMs = until - performance.now();
      if (leftMs > 0) return Date.now() + leftMs;
      throttledUntil.delete(this);
      return NOT_THROTTLED;
    },
    set(this: object, timeOfDay: number): void {
      const leftMs = timeOfDay - Date.now();
      if (leftMs > 0) throttledUntil.set(this, performance.now() + Math.min(leftMs, LONGEST_THROTTLE_MS));
    },
  });
  Object.defineProperty(prototype, isPatched, { value: true });
  return true;
}
