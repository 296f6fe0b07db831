import type { Destination } from '../destinations/destination.js';
import type { RetryPolicy } from './retry-policy.js';

/**
 * The task as a client handed it over. Only a person changes it after it was accepted (PATCH /tasks/:id): its attempt records say what
 * happened to it. A 2xx promised that it ends in one of the finished states below.
 */
export interface Task {
  /** The client's own id, 1..255 code points. */
  readonly id: string;
  readonly source: string;
  readonly clientId: string;
  readonly destination: Destination;
  /** undefined only where onExhausted is 'park'. */
  readonly deadDestination: Destination | undefined;
  readonly onExhausted: 'dead_letter' | 'park';
  readonly retryPolicy: RetryPolicy;
  /**
   * Name under which its deliveries share flow control with others of the same name, 1..255 code points, such as
   * `tenant-7`. undefined = they share it by destination.
   */
  readonly flowKey: string | undefined;
  /** Due priority tasks go before due normal ones. */
  readonly isPriority: boolean;
  /** Delivered byte for byte as UTF-8. */
  readonly messageData: string;
}

/** The state of a task; docs/ARCHITECTURE.md shows which follows which. */
export const taskStates = [
  'scheduled',
  'delivering',
  'retrying',
  'delivered',
  'dead_lettering',
  'dead_lettered',
  'parked',
  'cancelled',
] as const;

export type TaskState = (typeof taskStates)[number];

/** No state follows these by itself. Only a redrive or a new submission starts such a task again. */
export const finishedStates = ['delivered', 'dead_lettered', 'parked', 'cancelled'] as const satisfies readonly TaskState[];
