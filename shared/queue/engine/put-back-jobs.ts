import { jobField } from './job-fields.js';

/** Most ids that are kept: some may be of jobs that nobody has begun. */
const MOST_KEPT = 10_000;

/** Jobs that this process has fetched, and that were put back before, alone or in bulk. BullMQ's Job has no place for it. */
const putBack = new Set<string>();

/** @param fields of a job that was just fetched, names and values in turn: the fetch has counted itself already */
export function notePutBack(id: unknown, fields: readonly unknown[]): void {
  const at = fields.indexOf(jobField.deferredAt);
  if (at < 0 || typeof id !== 'string') return;
  const fetches = fields[fields.indexOf(jobField.fetches) + 1];
  if (Number(fields[at + 1]) !== Number(fetches) - 1) return;
  if (putBack.size >= MOST_KEPT) putBack.clear();
  putBack.add(id);
}

/** Was it put back before its last fetch? To be asked once for each fetch: one that is not known any more counts as new. */
export function takePutBack(id: string): boolean {
  return putBack.size > 0 && putBack.delete(id);
}
