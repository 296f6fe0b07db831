import type { Actor } from '../../domain/actor.js';
import type { LogEntry } from '../../domain/task/attempt-record.js';
import type { Receipt } from '../../domain/destinations/destination.js';

/**
 * A task's log is kept in the job's `stacktrace`: an array of strings, one JSON object each, because BullMQ writes
 * that field in the same atomic script as the transition. Entries of a kind this version does not know, and stack
 * traces of BullMQ's own errors, are skipped when read; writing keeps them out.
 */
const kinds: ReadonlySet<unknown> = new Set<LogEntry['kind']>(['attempt', 'release', 'deferral', 'redrive', 'sent_now', 'omitted']);

export function encodeEntry(entry: LogEntry): string {
  return JSON.stringify(entry);
}

export function decodeLog(entries: readonly string[] | null | undefined): LogEntry[] {
  return (entries ?? []).flatMap((text) => {
    const value = parseJson(text);
    // An entry of a known kind was written by encodeEntry, in one piece.
    return isObject(value) && kinds.has(value['kind']) ? [value as unknown as LogEntry] : [];
  });
}

/** The field as Redis holds it: a JSON array of strings. */
export function decodeLogField(field: string | undefined): LogEntry[] {
  const entries = field === undefined ? [] : parseJson(field);
  return Array.isArray(entries) ? decodeLog(entries.filter((entry) => typeof entry === 'string')) : [];
}

/** The return value of a completed job: how the task ended. */
export type Completion =
  | {
      readonly outcome: 'delivered';
      readonly run: number;
      readonly attempt: number;
      readonly at: number;
      readonly ms: number;
      readonly worker: string;
      readonly receipt: Receipt;
    }
  /** `bulk`: the bulk action that did it, if one did. `by`: the person who asked for it. Earlier versions wrote it down for bulk actions alone. */
  | { readonly outcome: 'cancelled'; readonly at: number; readonly bulk?: string; readonly by?: Actor };

export function decodeCompletion(field: string | undefined): Completion | undefined {
  const value = field === undefined ? undefined : parseJson(field);
  // Only settle-outcome.ts and cancel-script.ts write it.
  return isObject(value) && (value['outcome'] === 'delivered' || value['outcome'] === 'cancelled') ? (value as unknown as Completion) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not ours: see the head of this file
  }
}
