import { createHash } from 'node:crypto';
import { defaultPathMask, type PathMask } from '../../domain/destinations/path-mask.js';
import type { Shard } from '../engine/shard.js';
import { failureFieldsOf, packFailureFields } from '../search/failure-fields.js';
import { decodeLogField } from './log-codec.js';
import { packSearchFields, searchFieldsOf } from '../search/search-fields.js';
import { decodeTask } from './task-codec.js';

/**
 * The places where jobs are looked for: all sets and lists except those of jobs that a worker holds, which come back to
 * one of these.
 */
const PLACES = ['delayed', 'prioritized', 'wait', 'failed', 'completed'] as const;
/** How much is read in one call: a larger answer keeps Redis from other commands for milliseconds. */
const READ_AT_ONCE_BYTES = 1_048_576;

/** The progress of a pass over all jobs. */
export interface Pass {
  /** An index into PLACES. */
  readonly place: number;
  /** The cursor in that place; '0' is its beginning. */
  readonly cursor: string;
  /** The number of jobs that got fields in this pass. */
  readonly added: number;
}

export const firstStep: Pass = { place: 0, cursor: '0', added: 0 };

/**
 * Gives search fields (decision 11) to jobs that an older version has stored, and right ones to those that it has moved
 * since. A pass sees every job that is in the same set from its beginning to its end; one that moves meanwhile may be missed.
 * @returns the next step of the pass; `place` undefined = it has ended
 */
export async function addSearchFields(shard: Shard, { place, cursor, added }: Pass, mask: PathMask = defaultPathMask): Promise<Pass | { readonly place: undefined; readonly added: number }> {
  const name = PLACES[place];
  if (name === undefined) return { place: undefined, added };
  const { client, keys } = shard;
  const found: unknown = await client.runCommand('krsFindBareJobs', [keys[name], keys.base, cursor, name === 'wait' ? 'list' : 'set', name === 'completed' ? 1 : 0]);
  // The script's own answer.
  const [next, ...jobIds] = found as [string, ...string[]];
  const written = await addTo(shard, keys[name], jobIds, mask);
  return next === '0' ? { place: place + 1, cursor: '0', added: added + written } : { place, cursor: next, added: added + written };
}

async function addTo({ client, keys }: Shard, place: string, jobIds: readonly string[], mask: PathMask): Promise<number> {
  let written = 0;
  for (let rest = jobIds; rest.length > 0; ) {
    const jobs = await readData({ client, keys }, place, rest);
    const args = jobs.flatMap(([data, log, attemptsMade], index) => {
      const fields = fieldsOf(data ?? '', log ?? '', Number(attemptsMade ?? 0), mask);
      return fields === undefined ? [] : [rest[index] ?? '', digestOf(data, log, attemptsMade), fields.search, fields.failure];
    });
    if (args.length > 0) written += Number(await client.runCommand('krsAddSearchFields', [place, keys.base, ...args]));
    rest = rest.slice(jobs.length);
  }
  return written;
}

/** Search and failure fields in the form that a job has them; '' without a failure. */
export interface AddedFields {
  readonly search: string;
  readonly failure: string;
}

/**
 * The fields that some jobs should have, made from their data. Nothing is written.
 * @param place the key of the set or list that they are in
 * @returns of each job its fields, undefined for one that this version cannot read. Jobs that are gone are left out
 */
export async function* readBareJobs(shard: Pick<Shard, 'client' | 'keys'>, place: string, jobIds: readonly string[], mask: PathMask): AsyncGenerator<{ readonly jobId: string; readonly fields: AddedFields | undefined }> {
  for (let rest = jobIds; rest.length > 0; ) {
    const jobs = await readData(shard, place, rest);
    for (const [index, [data, log, attemptsMade]] of jobs.entries()) {
      if (data !== null) yield { jobId: rest[index] ?? '', fields: fieldsOf(data, log ?? '', Number(attemptsMade ?? 0), mask) };
    }
    rest = rest.slice(jobs.length);
  }
}

async function readData({ client, keys }: Pick<Shard, 'client' | 'keys'>, place: string, jobIds: readonly string[]): Promise<[data: string | null, log: string | null, attemptsMade: string | null][]> {
  const reply: unknown = await client.runCommand('krsReadBareJobs', [place, keys.base, READ_AT_ONCE_BYTES, ...jobIds]);
  // The script's own answer: as many as it read, one at least.
  return reply as [data: string | null, log: string | null, attemptsMade: string | null][];
}

/** @returns undefined for a job that this version cannot read */
function fieldsOf(data: string, log: string, attemptsMade: number, mask: PathMask): AddedFields | undefined {
  try {
    const task = decodeTask(JSON.parse(data));
    const search = packSearchFields(searchFieldsOf(task, Buffer.byteLength(task.messageData), mask));
    const failure = failureFieldsOf(decodeLogField(log), attemptsMade);
    // BullMQ has failed it for a reason of its own, without a record: it was never sent.
    const unrecorded = attemptsMade === 0 ? undefined : { attemptsMade, phase: 'delivery' as const, attempts: 0, code: undefined, httpStatus: undefined, deadReason: undefined, dueAt: undefined, next: undefined, endedAt: undefined };
    const known = failure ?? unrecorded;
    return search === undefined ? undefined : { search, failure: known === undefined ? '' : packFailureFields(known) };
  } catch {
    return undefined; // a newer version may have written it, and can write its fields
  }
}

function digestOf(...parts: readonly (string | null)[]): string {
  return createHash('sha1').update(parts.map((part) => part ?? '').join('\n')).digest('hex');
}
