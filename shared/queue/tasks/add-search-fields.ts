import { createHash } from 'node:crypto';
import type { Shard } from '../engine/shard.js';
import { failureFieldsOf, packFailureFields } from '../search/failure-fields.js';
import { decodeLogField } from './log-codec.js';
import { packSearchFields, searchFieldsOf } from '../search/search-fields.js';
import { decodeTask } from './task-codec.js';

/** Where jobs are looked for: all sets and lists but those of jobs that a worker holds, which come back to one of these. */
const PLACES = ['delayed', 'prioritized', 'wait', 'failed', 'completed'] as const;
/** Read in one call: a script that hands over more keeps Redis from others for milliseconds. */
const READ_AT_ONCE_BYTES = 1_048_576;

/** How far a pass over all jobs has got. */
export interface Pass {
  /** Index into PLACES. */
  readonly place: number;
  /** In that place; '0' = from its beginning. */
  readonly cursor: string;
  /** Jobs that got fields in this pass. */
  readonly added: number;
}

export const firstStep: Pass = { place: 0, cursor: '0', added: 0 };

/**
 * Gives search fields (decision 11) to jobs that an older version has stored, and right ones to those that it has moved
 * since. A pass sees every job that is in the same set from its beginning to its end; one that moves meanwhile may be missed.
 * @returns the next step of the pass; `place` undefined = it has ended
 */
export async function addSearchFields(shard: Shard, { place, cursor, added }: Pass): Promise<Pass | { readonly place: undefined; readonly added: number }> {
  const name = PLACES[place];
  if (name === undefined) return { place: undefined, added };
  const { client, keys } = shard;
  const found: unknown = await client.runCommand('krsFindBareJobs', [keys[name], keys.base, cursor, name === 'wait' ? 'list' : 'set', name === 'completed' ? 1 : 0]);
  // The script's own answer.
  const [next, ...jobIds] = found as [string, ...string[]];
  const written = await addTo(shard, keys[name], jobIds);
  return next === '0' ? { place: place + 1, cursor: '0', added: added + written } : { place, cursor: next, added: added + written };
}

async function addTo({ client, keys }: Shard, place: string, jobIds: readonly string[]): Promise<number> {
  let written = 0;
  for (let rest = jobIds; rest.length > 0; ) {
    const reply: unknown = await client.runCommand('krsReadBareJobs', [place, keys.base, READ_AT_ONCE_BYTES, ...rest]);
    // The script's own answer: as many as it read, one at least.
    const jobs = reply as [data: string | null, log: string | null, attemptsMade: string | null][];
    const args = jobs.flatMap(([data, log, attemptsMade], index) => {
      const fields = fieldsOf(data ?? '', log ?? '', Number(attemptsMade ?? 0));
      return fields === undefined ? [] : [rest[index] ?? '', digestOf(data, log, attemptsMade), fields.search, fields.failure];
    });
    if (args.length > 0) written += Number(await client.runCommand('krsAddSearchFields', [place, keys.base, ...args]));
    rest = rest.slice(jobs.length);
  }
  return written;
}

/** @returns undefined for a job that this version cannot read; '' where there is nothing to say */
function fieldsOf(data: string, log: string, attemptsMade: number): { readonly search: string; readonly failure: string } | undefined {
  try {
    const task = decodeTask(JSON.parse(data));
    const search = packSearchFields(searchFieldsOf(task, Buffer.byteLength(task.messageData)));
    const failure = failureFieldsOf(decodeLogField(log), attemptsMade);
    // BullMQ has failed it for a reason of its own, and no record was written: it was sent no time.
    const unrecorded = attemptsMade === 0 ? undefined : { attemptsMade, phase: 'delivery' as const, attempts: 0, code: undefined, httpStatus: undefined, deadReason: undefined };
    const known = failure ?? unrecorded;
    return search === undefined ? undefined : { search, failure: known === undefined ? '' : packFailureFields(known) };
  } catch {
    return undefined; // a newer version's, or nobody's: whoever can read it may write its fields
  }
}

function digestOf(...parts: readonly (string | null)[]): string {
  return createHash('sha1').update(parts.map((part) => part ?? '').join('\n')).digest('hex');
}
