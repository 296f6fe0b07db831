import type { DestinationType, WireDestination } from '../../shared/domain/destinations/destination.js';
import type { Jitter } from '../../shared/domain/task/retry-policy.js';

/** A task as clients write it, and what its fields may hold: for the schema, and for what is plainly right (plain-task.ts). */

export interface WireTask {
  readonly id: string;
  readonly source: string;
  readonly client_id: string;
  readonly destination_type: DestinationType;
  readonly destination: WireDestination;
  readonly dead_destination_type?: DestinationType;
  readonly dead_destination?: WireDestination;
  readonly on_exhausted: 'dead_letter' | 'park';
  readonly max_retries: number;
  readonly base_delay: number;
  readonly initial_delay?: number;
  readonly max_delay: number;
  readonly jitter: Jitter;
  readonly message_data: string;
  readonly is_priority: boolean;
  readonly flow_key?: string | undefined;
}

/** What the deployment says of tasks. */
export interface TaskRules {
  /** Largest message_data, bytes of UTF-8. */
  readonly maxMessageBytes: number;
  /** Of a task that names none. */
  readonly defaultJitter: Jitter;
}

export const MAX_RETRIES = 100;
export const MAX_DELAY_SECONDS = 86_400;
export const MAX_INITIAL_DELAY_SECONDS = 31_536_000;
