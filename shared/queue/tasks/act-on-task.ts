import type { Actor } from '../../domain/actor.js';
import type { TaskAction } from '../../domain/task/state-actions.js';
import type { TaskState } from '../../domain/task/task.js';
import { bullmqScripts } from '../engine/bullmq-contract.js';
import { recordPromotion } from '../engine/promote-job.js';
import { recordRestart } from '../engine/restart-job.js';
import type { Shard } from '../engine/shard.js';
import { jobIdOf } from '../names.js';
import { ACTED } from './act-script.js';
import { UnreadableTaskError } from './task-codec.js';
import { TASK_PLACE } from './task-now.js';

/** What came of an action on one task. States and runs are those before it. */
export type Acted =
  | { readonly kind: 'done'; readonly action: TaskAction; readonly state: TaskState; readonly run: number; readonly wasDue: boolean; readonly at: number }
  /** A worker holds it, or has died with it and its lock has not lapsed yet. */
  | { readonly kind: 'being_sent' }
  /** None of the actions takes a task in this state: see state-actions.ts. */
  | { readonly kind: 'refused'; readonly state: TaskState }
  | { readonly kind: 'not_found' }
  /** It belongs to none of the clients that the caller is bound to. Nothing of it may be told. */
  | { readonly kind: 'foreign' };

/** Who acts on a task. */
export interface Acting {
  /** It stands in the history of the task; undefined: the history names no one. */
  readonly by?: Actor | undefined;
  /** The clients whose tasks it may be; undefined: any. The script that acts decides by it. */
  readonly clientIds?: readonly string[] | undefined;
}

/** The keys of cancelJob and taskNow. */
export function setKeys(keys: Shard['keys']): readonly string[] {
  return [keys.delayed, keys.prioritized, keys.wait, keys.paused, keys.active, keys.completed, keys.failed, keys.parked, keys.unreadable, keys.waitingLists];
}

/** What BullMQ itself passes to its scripts for a job, as actLua wants it. */
export interface ActCall {
  readonly keys: readonly string[];
  readonly values: readonly string[];
}

export async function recordActCall({ queue, keys }: Shard, jobId: string): Promise<ActCall> {
  const [restart, promotion] = await Promise.all([recordRestart(queue, jobId), recordPromotion(queue, jobId)]);
  const { reprocessJob, promote } = bullmqScripts;
  return {
    keys: [...restart.args.slice(0, reprocessJob.keys).map(String), ...promotion.args.slice(0, promote.keys).map(String), ...setKeys(keys)],
    values: restart.args.slice(reprocessJob.keys).map(String),
  };
}

/** Who does it, and the bulk action by which it is done, for the history of the task: `,"bulk":"ba_1","by":{...}`. See actWith. */
export function historyText(done: { readonly bulk?: string; readonly by: Actor }): string {
  return `,${JSON.stringify(done).slice(1, -1)}`;
}

/**
 * Does to a task the first of some actions that takes it; it is atomic. `at`: by Redis' clock, milliseconds since the epoch.
 * @throws UnreadableTaskError
 */
export async function actOnTask(shard: Shard, taskId: string, actions: readonly TaskAction[], { by, clientIds = [] }: Acting): Promise<Acted> {
  const { client, keys } = shard;
  const call = await recordActCall(shard, jobIdOf(taskId));
  // Outside a MULTI ioredis sends the text itself when Redis has lost the script.
  const reply: unknown = await client.runCommand('krsAct', [...call.keys, ...call.values, keys.base, keys.waitingList(''), actions.join('|'), by === undefined ? '' : historyText({ by }), ...clientIds]);
  // The script's own answer: see act-script.ts.
  const [code, action, state, run, place, at] = reply as [(typeof ACTED)[keyof typeof ACTED], TaskAction, TaskState, number, string, number];
  switch (code) {
    case ACTED.absent:
      return { kind: 'not_found' };
    case ACTED.done:
      return { kind: 'done', action, state, run, wasDue: place === TASK_PLACE.due, at };
    case ACTED.beingSent:
      return { kind: 'being_sent' };
    case ACTED.refused:
      return { kind: 'refused', state };
    case ACTED.foreign:
      return { kind: 'foreign' };
    case ACTED.unreadable:
      throw new UnreadableTaskError('its key holds something else than a job');
  }
}
