import { LONGEST_THROTTLE_MS } from './broker-sockets.js';
import { requireKnownKafkajs } from './kafkajs-version.js';

const isPatched = Symbol.for('kafka-retry-service.kafkajs-deadlines-patched');

interface Deadline {
  /** Path of the class in kafkajs. */
  readonly path: string;
  readonly field: string;
  /** What stands in the field while there is no deadline, or when it is over. */
  readonly none: number | null;
  readonly longestMs: number;
}

/**
 * `RequestQueue.throttledUntil`: the end of the wait that a broker asks for (KIP-219). By the time of day, a clock that was set
 * back by an hour made an hour of a wait of one second, and one that was set forward ended it.
 *
 * `BrokerPool.metadataExpireAt`: when the metadata is asked for anew, so that new partitions are noticed.
 */
const deadlines: readonly Deadline[] = [
  { path: 'kafkajs/src/network/requestQueue', field: 'throttledUntil', none: -1, longestMs: LONGEST_THROTTLE_MS },
  { path: 'kafkajs/src/cluster/brokerPool', field: 'metadataExpireAt', none: null, longestMs: Infinity },
];

/**
 * Lets the deadlines of kafkajs go by the monotonic clock. kafkajs keeps each as a time of day and compares it with Date.now.
 * The field becomes one that is computed: whenever kafkajs reads it, it is as far from the time of day as the deadline is from
 * now. So the methods that use it stay as they are.
 *
 * @returns whether it is in force. false: this kafkajs is another one than was patched, and is left alone
 */
export function patchKafkajsDeadlines(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;
  return deadlines.every((deadline) => {
    const owner: unknown = require(deadline.path);
    if (typeof owner !== 'function') return false;
    const prototype: unknown = owner.prototype;
    if (typeof prototype !== 'object' || prototype === null) return false;
    if (!(isPatched in prototype)) patch(prototype, deadline);
    return true;
  });
}

function patch(prototype: object, { field, none, longestMs }: Deadline): void {
  /** The deadline in monotonic milliseconds, by its owner. */
  const deadlineOf = new WeakMap<object, number>();
  Object.defineProperty(prototype, field, {
    get(this: object): number | null {
      const deadline = deadlineOf.get(this);
      if (deadline === undefined) return none;
      const leftMs = deadline - performance.now();
      if (leftMs > 0) return Date.now() + leftMs;
      deadlineOf.delete(this);
      return none;
    },
    set(this: object, timeOfDay: number | null): void {
      const leftMs = timeOfDay === null ? 0 : timeOfDay - Date.now();
      if (leftMs > 0) deadlineOf.set(this, performance.now() + Math.min(leftMs, longestMs));
      else deadlineOf.delete(this);
    },
  });
  Object.defineProperty(prototype, isPatched, { value: true });
}
