import type { EditMark } from '../../domain/task/attempt-record.js';

/** So many marks of changes are kept with a task, the newest ones. Each has some 150 bytes. */
const KEPT = 20;

/** The field of a job: a JSON array, the oldest mark first. */
export function encodeEditLog(marks: readonly EditMark[]): string {
  return JSON.stringify(marks.slice(-KEPT));
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
