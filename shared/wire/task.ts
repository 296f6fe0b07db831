import type { DestinationType, WireDestination } from '../domain/destinations/destination.js';
import type { Jitter } from '../domain/task/retry-policy.js';

/** A task as clients write it: the body of POST /tasks. Times are seconds. What each field may hold: docs/TASK-FIELDS.md. */
export interface WireTask {
  readonly id: string;
  readonly source: string;
  readonly client_id: string;
  readonly destination_type: DestinationType;
  readonly destination: WireDestination;
  readonly dead_destination_type?: DestinationType;
  readonly dead_destination?: WireDestination;
  readonly on_exhausted?: 'dead_letter' | 'park';
  readonly max_retries: number;
  readonly base_delay: number;
  readonly initial_delay?: number;
  readonly max_delay?: number;
  readonly jitter?: Jitter;
  readonly message_data: string;
  readonly is_priority?: boolean;
  readonly flow_key?: string;
}
