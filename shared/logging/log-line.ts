import type { ShownPhase } from '../domain/task/shown-phase.js';

/** Values of a log line. Callers name each field, and never pass message_data or a secret. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Which process writes: every line says so. */
export type Role = 'api' | 'worker';

/** The fields of one attempt: one wide line tells the whole attempt. */
export type AttemptLine = {
  readonly task_id: string;
  readonly client_id: string;
  readonly source: string;
  /** The task's own, without the secrets of a url. */
  readonly flow_key: string | undefined;
  /** The trace in which the task was submitted, 32 hex digits; undefined when its client sent none. */
  readonly trace_id: string | undefined;
  readonly run: number;
  readonly phase: ShownPhase;
  readonly attempt: number;
  readonly max_retries: number;
  /** The key of the destination: `https://api.example.com/orders`, `kafka://default/orders`. */
  readonly destination: string;
  readonly outcome: string;
  /** How long the send took. */
  readonly duration_ms: number;
  /** How long after its due time the send began, 0 or more; undefined when the due time is not known. */
  readonly late_ms: number | undefined;
  readonly code: string | undefined;
  readonly http_status: number | undefined;
  readonly next_delay_ms: number | undefined;
  readonly detail: string | undefined;
};

/** How lines are written. */
export interface LineWriter {
  /** @returns the line, without its end */
  message(level: string, message: string, fields: LogFields): string;
  /** @returns undefined when the attempt gets no line of its own */
  attempt(line: AttemptLine): string | undefined;
  /** Writes what is still counted. */
  flush(): void;
}
