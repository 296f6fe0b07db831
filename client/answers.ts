import type { WireViolation } from '../shared/wire/error.js';

/*
 * What the API answers, as its contract says (docs/openapi.yaml). A test compares these types with those that are made of the contract.
 * Answers may have more fields than stand here; codes are open, states are closed.
 */

export type TaskState = 'scheduled' | 'delivering' | 'retrying' | 'dead_lettering' | 'delivered' | 'dead_lettered' | 'parked' | 'cancelled';

/** States in which a task stays, until a person or a new submission starts it again. */
export const endedStates: readonly TaskState[] = ['delivered', 'dead_lettered', 'parked', 'cancelled'];

export interface Accepted {
  readonly message: string;
  readonly id: string;
  readonly state: TaskState;
  readonly run: number;
  readonly next_attempt_at: string | null;
  /** It was there before, and nothing was changed. */
  readonly is_duplicate?: boolean;
}

export interface Removed {
  readonly message: string;
  readonly id: string;
  readonly state: 'cancelled' | 'deleted';
}

/** One task of submitMany, in the order in which they came. */
export interface SubmitResult {
  /** Place in what was handed over, from 0. */
  readonly index: number;
  /** 200, 201: the service has it. 4xx: it is wrong as it is. 5xx: it was not taken, however often it was sent. */
  readonly status: number;
  readonly id?: string;
  readonly message?: string;
  readonly state?: TaskState;
  readonly run?: number;
  readonly next_attempt_at?: string | null;
  readonly is_duplicate?: boolean;
  readonly error?: string;
  readonly code?: string;
  readonly details?: readonly WireViolation[];
}

/** The rows that lists have of a task. */
export interface TaskSummary {
  readonly id: string;
  readonly state: TaskState;
  readonly source: string;
  readonly client_id: string;
  readonly flow_key: string | null;
  readonly run: number;
  readonly phase: string;
  readonly attempts: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  readonly waiting_for: string | null;
  readonly dead_reason: string | null;
  readonly destination_type: string;
  readonly destination_key: string;
  readonly error_code: string | null;
  readonly http_status: number | null;
  readonly is_priority: boolean;
  readonly message_bytes: number;
}

/** GET /tasks/:id. */
export interface TaskView {
  readonly id: string;
  readonly state: TaskState;
  readonly source: string;
  readonly client_id: string;
  readonly run: number;
  readonly phase: 'delivery' | 'dead_letter';
  readonly attempt: number;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  readonly waiting_for: { readonly code: string; readonly message: string } | null;
  readonly dead_reason: string | null;
  readonly destination_type: string;
  readonly destination: Readonly<Record<string, unknown>>;
  readonly dead_destination_type?: string;
  readonly dead_destination?: Readonly<Record<string, unknown>>;
  readonly on_exhausted: 'dead_letter' | 'park';
  readonly is_priority: boolean;
  readonly flow_key?: string | null;
  readonly message_bytes: number;
  readonly message_data?: string;
  readonly timeline: readonly Readonly<Record<string, unknown>>[];
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** GET /counts, its parts added up. */
export interface Counts {
  readonly count: number;
  readonly is_exact: boolean;
  readonly scanned: number;
  readonly not_read: number;
  readonly groups?: readonly { readonly value: string | number | null; readonly count: number }[];
}

export interface FailureGroup {
  readonly destination_key: string | null;
  readonly error_code: string | null;
  readonly http_status: number | null;
  readonly count: number;
  readonly first_failed_at: string;
  readonly last_failed_at: string;
  readonly samples: readonly string[];
  readonly by_next: Readonly<Record<string, number>>;
}

export interface Failures {
  readonly since: string;
  readonly groups: readonly FailureGroup[];
  readonly is_complete: boolean;
}

export interface Actor {
  readonly type: string;
  readonly id: string | null;
  readonly name: string | null;
  readonly operator: string | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  readonly actor: Actor;
  readonly action: string;
  readonly target: { readonly type: string; readonly id: string };
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly completed_at: string | null;
  readonly outcome: 'begun' | 'done' | 'failed';
  readonly error_code: string | null;
  readonly count: number | null;
  readonly before: Readonly<Record<string, string | null>> | null;
  readonly after: Readonly<Record<string, string | null>> | null;
}

export interface Destination {
  readonly key: string;
  readonly kind: string;
  readonly id: string;
  readonly group: string | null;
  readonly in_flight: number;
  readonly deferred: number;
  readonly delivered: number;
  readonly failed: number;
  readonly failure_share: number;
  readonly latency_ms: { readonly p50: number | null; readonly p99: number | null };
  readonly circuit: { readonly state: string; readonly reason: string | null };
  readonly limits: Readonly<Record<string, number>> | null;
  readonly paused: { readonly key: string; readonly since: string | null; readonly until: string | null; readonly by: Actor | null; readonly reason: string | null } | null;
}

export interface Stats {
  readonly counts: Readonly<Record<string, unknown>>;
  readonly oldest_due_ms: number | null;
  readonly workers: number | null;
  readonly shards_away: readonly string[];
}

export interface Status {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly workers: number | null;
  readonly oldest_due_ms: number | null;
  readonly load: number | null;
  readonly shards_away: readonly string[];
}

export type BulkActionName = 'redrive' | 'send_now' | 'cancel' | 'delete';

/** POST /bulk-actions. */
export interface BulkActionRequest {
  readonly id?: string;
  readonly action: BulkActionName;
  /** Each member is a text of the filter language, a list of literal texts, or null: the field has no value. */
  readonly filter?: Readonly<Record<string, string | readonly string[] | null | undefined>>;
  readonly ids?: readonly string[];
  /** How many tasks are meant: with another number nothing is touched. */
  readonly expected?: number;
  /** Tasks a second, all workers together. */
  readonly rate?: number;
  readonly limit?: number;
  readonly order?: 'newest' | 'oldest';
  readonly override?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

export interface BulkAction {
  readonly id: string;
  readonly action: BulkActionName;
  readonly state: 'matching' | 'running' | 'paused' | 'done' | 'cancelled' | 'refused' | 'failed';
  readonly state_reason: { readonly code: string; readonly message: string } | null;
  readonly matched: number | null;
  readonly pending: number | null;
  readonly started: number | null;
  readonly in_progress: number | null;
  readonly delivered: number | null;
  readonly failed_again: number | null;
  readonly cancelled: number | null;
  readonly skipped: Readonly<Record<string, number>> | null;
  readonly rate: number | null;
  readonly estimated_done_at: string | null;
  readonly is_duplicate?: boolean;
}

/** The answer to a bulk action with dry_run, its parts added up. */
export interface DryRun {
  readonly matched: number;
  readonly is_exact: boolean;
  readonly scanned: number;
  readonly by_error_code: readonly { readonly value: string | null; readonly count: number }[];
  readonly by_destination_key: readonly { readonly value: string | null; readonly count: number }[];
  readonly samples: readonly TaskSummary[];
}
