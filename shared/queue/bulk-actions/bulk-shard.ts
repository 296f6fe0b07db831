import type { Actor } from '../../domain/actor.js';
import type { Override } from '../../domain/bulk-actions/override.js';
import { openOverride } from '../../domain/bulk-actions/override-secrets.js';
import type { SecretBox } from '../../domain/secrets/secret-box.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import type { BulkAction } from '../../domain/bulk-actions/bulk-action.js';
import { bulkCountNames, noCounts, type BulkCounts } from '../../domain/bulk-actions/bulk-counts.js';
import type { FirstSend } from '../../domain/bulk-actions/first-sends.js';
import type { Shard } from '../engine/shard.js';
import { FIRST_SEND } from '../engine/told-bulk-action.js';
import { jobIdOf } from '../names.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { isEndedPlace } from '../search/search-places.js';
import type { FoundTask } from '../scan/found-task.js';
import { scanTasks, stepsThrough, type ScanPart, type ScanPlace, type TakeTurn } from '../scan/scan-tasks.js';
import { historyText, recordActCall, type ActCall } from '../tasks/act-on-task.js';
import { nextValues, prepare } from './override-tasks.js';
import { BULK_STEP, GONE, NOT_OWN } from './bulk-shard-scripts.js';
import { DESTINATION_SEPARATOR, SEVERAL } from './bulk-step-script.js';

/** A worker that carries an action out in a shard is taken for gone after this time without a step, ms. */
const LEASE_MS = 3_000;
/** So often at most matching goes through a shard. Each time may find tasks that moved to a place which had been read. */
const MOST_PASSES = 5;
/** Matching is over in a shard when its cursor says so. */
export const MATCHED = 'end';
/** No task has this id: see \`jobIdOf\` in names.ts. */
const ANY_JOB = 'any';
/** For so long at most a write waits for its replicas, ms. */
const REPLICATED_WITHIN_MS = 850;

/** The numbers of an action in one shard. */
export interface ShardOfAction {
  readonly counts: BulkCounts;
  /** How far matching has come: see bulk-shard-scripts.ts. */
  readonly cursor: string;
  /** Tasks that were written down; undefined until matching is over. */
  readonly found: number | undefined;
  /** Of those, the ids that no task has, or none that the caller may change. */
  readonly unknown: number;
  /** First sends that have not ended, of an action that sends now. */
  readonly firstLeft: number;
  /** Where the tasks go that it has started to send; undefined: it has started none. */
  readonly destination: StartedDestination | 'several' | undefined;
  /** It is known which of them are taken. A failover can take that back, and with it all that was done here. */
  readonly isSealed: boolean;
  /** Of the tasks that the override did not fit, the first one: of the invalid ones, and of the unreadable ones. */
  readonly samples: readonly (TaskSample | undefined)[];
}

/** Nothing is left to be done in this shard. */
export function isFinished(part: ShardOfAction | undefined): boolean {
  return part !== undefined && part.isSealed && part.counts.pending === 0;
}

/** A task, and what is wrong with it. */
export interface TaskSample {
  readonly id: string;
  readonly message: string;
}

/** What the content of a task that is changed depends on, beside the task. */
export interface OverrideParts {
  readonly deadAttempts: number;
  readonly mask: PathMask;
  readonly secrets: SecretBox;
  /** A task under a key that is not there is counted as unreadable; else the step fails with SealedTextError, and changes nothing. */
  readonly countsUnknownKeys: boolean;
}

/** As it was submitted: see SearchFields. */
export interface StartedDestination {
  readonly host: string;
  readonly path: string;
  readonly flowKey: string | undefined;
}

/** `busy`: another worker does it. `stale`: the action was changed meanwhile. */
export type StepRefusal = 'busy' | 'stale';

export interface BulkStep {
  readonly started: number;
  /** Tasks whose turn it was. */
  readonly through: number;
  readonly left: number;
}

/** The cursor of matching by a filter. It is plain JSON. */
interface MatchPlace extends ScanPlace {
  /** From 1. An older version wrote none. */
  readonly pass?: number;
  /** Tasks that could not be read in this pass. */
  readonly notRead?: number;
}

/** The part of bulk actions that stands in one shard, beside its tasks. */
export class BulkShard {
  #call: Promise<ActCall> | undefined;

  constructor(readonly shard: Shard) {}

  /** Of its queue, such as `deliver-3`. */
  get name(): string {
    return this.shard.queue.name;
  }

  /**
   * Asks for the lease before a step of a search: its result could not be written down while another worker has it.
   * @param cursor as it is
   * @returns the cursor now
   */
  async claimMatching(action: BulkAction, token: string, cursor: string): Promise<StepRefusal | { readonly cursor: string }> {
    return this.#writeDown(action, token, cursor, cursor, []);
  }

  /**
   * Writes down tasks of this shard by their ids, as a search finds them. An id that no task has is written down too, so that it is counted.
   * @param plan   of any task
   * @param before the cursor before, `behind` the one behind them: MATCHED when there are no more
   * @returns the cursor now
   */
  async writeDownIds(action: BulkAction, token: string, plan: SearchPlan, taskIds: readonly string[], before: string, behind: string, takeTurn: TakeTurn): Promise<StepRefusal | { readonly cursor: string }> {
    const jobIds = taskIds.map(jobIdOf);
    const known = new Map<string, FoundTask>();
    for await (const { found } of stepsThrough(this.shard, undefined, { plan, order: action.asked.order, since: undefined, by: undefined }, jobIds, takeTurn)) {
      for (const { task } of found) known.set(jobIdOf(task.id), task);
    }
    const missing = action.asked.clientIds === null ? GONE : NOT_OWN;
    return this.#writeDown(action, token, before, behind, jobIds.flatMap((jobId) => memberOf(action, known.get(jobId)) ?? [0, `${jobId} 0 ${missing}`, '']));
  }

  /**
   * Takes steps of a search for the tasks that match, until one of them finds some, and writes down what it finds. Steps that were made twice are written once.
   *
   * A task that moves meanwhile is matched wherever it is found, and written down once. One that moved to a place which had been read is
   * found in the next pass: passes are made until one of them finds no further task. Tasks that were created since the first pass began
   * are left to it, since a stream of new ones would never end.
   * @param before the cursor before
   * @param endsAt no step begins after it, monotonic ms: a worker that is killed leaves so much to be done again
   * @returns the cursor now; `incomplete`: a list is longer than what can be read of it
   */
  async writeDownFound(action: BulkAction, token: string, plan: SearchPlan, before: string, endsAt: number, takeTurn: TakeTurn): Promise<StepRefusal | 'incomplete' | { readonly cursor: string }> {
    // Written by the step before.
    const from = before === '' ? undefined : (JSON.parse(before) as MatchPlace);
    const pass = from?.pass ?? 1;
    const steps = await this.#stepsUntilFound(plan, action.asked.order, from, endsAt, takeTurn);
    if (steps === 'incomplete') return steps;
    const { last, since, notRead } = steps;
    const behind = last?.next === undefined ? MATCHED : JSON.stringify({ ...last.next, pass, notRead } satisfies MatchPlace);
    const [place] = plan.places;
    const again = place === undefined || pass >= MOST_PASSES || plan.places.every(isEndedPlace) ? '' : JSON.stringify({ place, since, pass: pass + 1 } satisfies MatchPlace);
    // When it looks again behind a failover, tasks that came since the first time, or moved, are left: they may not have matched then.
    const isAsked = (task: FoundTask): boolean => action.matchedAt === null || task.updatedAt <= action.matchedAt;
    const found = (last?.found ?? []).filter(({ task }) => isAsked(task) && (pass === 1 || task.createdAt <= since || task.run > 1));
    return this.#writeDown(action, token, before, behind, found.flatMap(({ task }) => memberOf(action, task, since) ?? []), { again, notRead });
  }

  /** @returns the last step, which alone has found tasks; undefined where there was none. `since`: when the pass began, ms. `notRead`: tasks of the pass that could not be read */
  async #stepsUntilFound(plan: SearchPlan, order: BulkAction['asked']['order'], from: MatchPlace | undefined, endsAt: number, takeTurn: TakeTurn): Promise<'incomplete' | { readonly last: ScanPart | undefined; readonly since: number; readonly notRead: number }> {
    let [since, notRead] = [from?.since, from?.notRead ?? 0];
    let last: ScanPart | undefined;
    for await (const part of scanTasks(this.shard, { plan, order, by: undefined, mayRepeat: true }, from, takeTurn)) {
      // "All" must never mean a part.
      if (!part.isWhole) return 'incomplete';
      since ??= part.tally.at;
      notRead += part.tally.notRead;
      last = part;
      if (part.found.length > 0 || performance.now() >= endsAt) break;
    }
    return { last, since: since ?? 0, notRead };
  }

  /**
   * @param members as of memberOf, in turn
   * @param pass  `again`: the cursor of the next one, if there may be one; `notRead`: tasks of this one that could not be read
   */
  async #writeDown({ id, epoch }: BulkAction, token: string, before: string, behind: string, members: readonly (string | number)[], { again, notRead } = { again: '', notRead: 0 }): Promise<StepRefusal | { readonly cursor: string }> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsBulkWriteDownFound', [keys.bulkCounts(id), keys.bulkList(id), keys.bulkLease(id), token, LEASE_MS, epoch, before, behind, again, notRead, ...members]);
    return refusalOf(reply) ?? { cursor: String(reply) };
  }

  /**
   * It resolves when as many replicas have it as REDIS_MIN_REPLICAS says: from then on tasks are changed.
   * @param pending how many of the tasks that were found are taken, the first ones
   * @throws NotReplicatedError
   */
  async seal(id: string, pending: number): Promise<void> {
    await this.#lasting(() => this.shard.client.runCommand('krsBulkSeal', [this.shard.keys.bulkCounts(id), pending]));
  }

  /** Steps that go by an older epoch change nothing from now on. */
  async fence(id: string, epoch: number): Promise<void> {
    await this.shard.client.runCommand('krsBulkFence', [this.shard.keys.bulkCounts(id), epoch]);
  }

  /** Has a worker with another token the lease? */
  async isInOtherHands(id: string, token: string): Promise<boolean> {
    const holder = await this.shard.client.get(this.shard.keys.bulkLease(id));
    return holder !== null && holder !== token;
  }

  /** Takes the next tasks in turn. @param most how many at most; 0 only asks for the lease */
  async step({ id, epoch, asked }: BulkAction, token: string, most: number, parts: OverrideParts): Promise<StepRefusal | BulkStep> {
    const { client, keys } = this.shard;
    const prepared = asked.override === null || most === 0 ? [] : await this.#prepare(id, most, { ...parts, override: openOverride(asked.override, id, parts.secrets), by: asked.createdBy });
    this.#call ??= recordActCall(this.shard, ANY_JOB);
    const call = await this.#call;
    const own = [keys.bulkCounts(id), keys.bulkList(id), keys.bulkLease(id)];
    const values = [keys.base, token, LEASE_MS, epoch, most, asked.action, id, historyText({ bulk: id, by: asked.createdBy }), keys.waitingList(''), ...call.values, asked.override === null ? '' : 1, asked.clientIds?.length ?? 0, ...(asked.clientIds ?? []), ...prepared];
    const reply: unknown = await client.runCommand('krsBulkStep', [...call.keys, ...own, ...values]);
    const refusal = refusalOf(reply);
    if (refusal !== undefined) return refusal;
    // The script's own answer.
    const [started, through, left] = reply as [number, number, number];
    return { started, through, left };
  }

  async #prepare(id: string, most: number, parts: OverrideParts & { readonly override: Override; readonly by: Actor }): Promise<readonly (string | number)[]> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsBulkNext', [keys.bulkList(id), ...nextValues(keys.base, most)]);
    // The script's own answer.
    return (reply as string[][]).flatMap((row) => prepare(row, parts));
  }

  /** The numbers of several actions. */
  async read(ids: readonly string[]): Promise<readonly ShardOfAction[]> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsBulkCounts', [keys.delayed, keys.bulkCounts(''), ...ids]);
    // The script's own answer: see bulk-shard-scripts.ts.
    return (reply as (string | null)[][]).map(readShard);
  }

  /** The numbers of one action, when as many replicas have them, and what they tell of, as REDIS_MIN_REPLICAS says. @throws NotReplicatedError */
  async readLasting(id: string): Promise<ShardOfAction | undefined> {
    const [part] = await this.#lasting(() => this.read([id]));
    return part;
  }

  async #lasting<T>(work: () => Promise<T>): Promise<T> {
    const { replicated, keys } = this.shard;
    return replicated === undefined ? work() : replicated.after(keys.replicaMark, work, REPLICATED_WITHIN_MS);
  }

  /** The newest first sends of what the action has started. */
  async firstSends(id: string): Promise<readonly FirstSend[]> {
    const found = await this.shard.client.lrange(this.shard.keys.bulkFirstSends(id), 0, -1);
    return found.map((text) => ({ at: Number.parseInt(text, 10), isDelivered: text.endsWith(FIRST_SEND.delivered) }));
  }

  /** How many tasks of the list have at most this score. */
  async countUpTo(id: string, score: number): Promise<number> {
    return Number(await this.shard.client.runCommand('krsBulkCountUpTo', [this.shard.keys.bulkList(id), score]));
  }

  /** The lowest and the highest score of the list; undefined for an empty one. */
  async scores(id: string): Promise<readonly [number, number] | undefined> {
    const reply: unknown = await this.shard.client.runCommand('krsBulkScores', [this.shard.keys.bulkList(id)]);
    const [lowest, highest] = reply as [string?, string?];
    return lowest === undefined || highest === undefined ? undefined : [Number(lowest), Number(highest)];
  }

  /**
   * Removes what only an action that goes on needs. Of another action that has the same id since it stays.
   * @param keepMs how long its numbers are kept; 0: they go as well
   */
  async forget({ id, epoch }: Pick<BulkAction, 'id' | 'epoch'>, keepMs: number): Promise<void> {
    const { client, keys } = this.shard;
    await client.runCommand('krsBulkForget', [keys.bulkCounts(id), keys.bulkList(id), keys.bulkLease(id), keys.bulkFirstSends(id), keepMs, epoch]);
  }
}

/**
 * @param since when the search began, ms; undefined: each task comes once
 * @returns score and member of the list, and '1' for a task that may have been found before it moved; undefined for no task
 */
function memberOf({ asked }: BulkAction, task: FoundTask | undefined, since = Infinity): [score: number, member: string, mark: '1' | ''] | undefined {
  if (task === undefined) return undefined;
  const { id, run, state, attempts, finishedAt, nextAttemptAt, createdAt, updatedAt } = task;
  const sends = asked.action === 'send_now' ? '0'.repeat(attempts) : '';
  const member = `${jobIdOf(id)} ${sends}${run} ${state}`;
  return [(asked.order === 'oldest' ? 1 : -1) * (finishedAt ?? nextAttemptAt ?? createdAt), member, updatedAt >= since ? '1' : ''];
}

function refusalOf(reply: unknown): StepRefusal | undefined {
  if (reply === BULK_STEP.busy) return 'busy';
  return reply === BULK_STEP.stale ? 'stale' : undefined;
}

function readShard(fields: readonly (string | null)[]): ShardOfAction {
  const counts: BulkCounts = { ...noCounts, ...Object.fromEntries(bulkCountNames.map((name, index) => [name, Number(fields[index] ?? 0)])) };
  const [cursor, found, unknown, firstLeft, destination, ...samples] = fields.slice(bulkCountNames.length);
  return { counts, cursor: cursor ?? '', found: found === null || found === undefined ? undefined : Number(found), unknown: Number(unknown ?? 0), firstLeft: Number(firstLeft ?? 0), destination: readDestination(destination), isSealed: fields[0] !== null, samples: samples.map((text) => (typeof text === 'string' ? (JSON.parse(text) as TaskSample) : undefined)) };
}

function readDestination(text: string | null | undefined): ShardOfAction['destination'] {
  if (text === null || text === undefined) return undefined;
  if (text === SEVERAL) return 'several';
  const [host = '', path = '', flowKey = ''] = text.split(DESTINATION_SEPARATOR);
  return { host, path, flowKey: flowKey === '' ? undefined : flowKey };
}
