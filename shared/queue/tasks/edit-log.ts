import type { EditMark } from '../../domain/task/attempt-record.js';

/** So many marks of changes are kept with a task, the newest ones. Each has some 150 bytes. */
const KEPT = 20;

/**
 * The field of a job with one more mark: a JSON array, the oldest mark first. It is made in two parts, between which the script writes the
 * time by Redis' clock, ms since the epoch.
 */
export function encodeEditLog(marks: readonly EditMark[], { kind, run, by, edit }: Omit<EditMark, 'at'>): readonly [before: string, after: string] {
  const kept = JSON.stringify(marks.slice(1 - KEPT)).slice(0, -1);
  const newest = JSON.stringify({ kind, run, by, edit }).slice(0, -1);
  return [`${kept}${kept === '[' ? '' : ','}${newest},"at":`, '}]'];
}

/** @returns none for a text that is not ours */
export function decodeEditLog(field: string | undefined): readonly EditMark[] {
  if (field === undefined) return [];
  try {
    const marks: unknown = JSON.parse(field);
    // Only encodeEditLog writes the field, in one piece.
    return Array.isArray(marks) ? (marks as EditMark[]) : [];
  } catch {
    return []; // a person has written it: the number of changes stands elsewhere
  }
}
