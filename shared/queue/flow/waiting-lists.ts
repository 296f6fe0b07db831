import type { DeferralReason } from '../../domain/task/deferral.js';
import { flowOfId, type Flow } from '../../domain/destinations/flow.js';
import { defaultClusterNames, isNamedByDestination, type DefaultBrokers } from '../../domain/flow/flow-key.js';
import { PUT_BACK_KEYS, putBackArguments, putBackError, type PutBack } from '../engine/put-back.js';
import type { Shard } from '../engine/shard.js';

/** The number of deferred tasks of a flow. */
export interface WaitingListDepth {
  readonly flow: Flow;
  readonly waiting: number;
}

/** What one shard says of its waiting lists. */
export interface WaitingListDepths {
  /** Lists that are not empty. */
  readonly depths: readonly WaitingListDepth[];
  /** false: there are more than 10,000, and the newest of them were not looked at. */
  readonly isComplete: boolean;
}

/** At most so many lists of a shard are looked at: each costs Redis about a microsecond. */
const MOST_LISTS = 10_000;
const LISTS_AT_ONCE = 1_000;

/** A job that waits in some list, and the flow of its next send. */
export interface WaitingJob {
  readonly jobId: string;
  readonly flow: Flow;
}

/** A job that goes back into the delayed set, and into a waiting list; after `delayMs` it comes back even if it was not woken. */
export interface Deferral extends PutBack {
  /** Milliseconds since the epoch: the task that waits longest is woken first, after priority tasks. */
  readonly since: number;
}

/** Flows whose due jobs are to be deferred, and why. */
export interface BulkDeferral {
  readonly flows: readonly (readonly [Flow, DeferralReason])[];
  /** Ids of known flows: their jobs are not among "the others" of a host. */
  readonly known: readonly string[];
}

/**
 * What a job has to be, so that bulkDefer takes it for a job of the flow.
 *
 * | flow | matches |
 * |---|---|
 * | an endpoint, a topic, a flow_key | its id: `https://api.example.com/x\nhttps://api.example.com` |
 * | an endpoint that is paused | also `\nhttps://api.example.com/x`: all flow_keys of it |
 * | "the others" of a host | the host: `https://api.example.com` |
 * | the same where the host is paused | also `\nhttps://api.example.com`: everything that goes there |
 */
function matchesOf({ key, host, id }: Flow, reason: DeferralReason): string[] {
  return reason === 'paused' && (key === host || isNamedByDestination({ key, host })) ? [id, `\n${key}`] : [id];
}

/**
 * Waiting lists of deferred jobs, one per destination, in one shard. They are only hints. A job that is in no waiting
 * list comes back when its own time in the delayed set is over. A waiting list may name jobs that are long gone.
 */
export class WaitingLists {
  /** Where `next` goes on: a rank, or -1 for the newest list. */
  #nextRank = -1;

  /** @param defaultBrokers of this process: bulk deferral recognises its tasks by them */
  constructor(
    private readonly shard: Shard,
    private readonly defaultBrokers: DefaultBrokers = new Set(),
  ) {}

  /**
   * Puts a job that is being processed back, uncounted, and into the waiting list, in one step.
   * @returns jobs in the waiting list
   * @throws when the caller has lost the job, or Redis fails
   */
  async defer(waitingList: string, deferral: Deferral): Promise<number> {
    const { client, keys, queue } = this.shard;
    const args = putBackArguments(queue, deferral);
    const reply: unknown = await client.runCommand('krsDefer', [...args.slice(0, PUT_BACK_KEYS), keys.waitingList(waitingList), keys.waitingLists, ...args.slice(PUT_BACK_KEYS), keys.waitingList(''), deferral.since, waitingList]);
    // The script's own answer.
    const [code, depth] = reply as [number, number];
    if (code !== 0) throw putBackError(queue, code, deferral.jobId);
    return depth;
  }

  /** Makes up to `count` jobs of the waiting list due, priority ones first, then the oldest. */
  async wake(flowKey: string, count: number): Promise<{ woken: number; left: number }> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsWakeWaitingList', [keys.waitingList(flowKey), keys.waitingLists, keys.delayed, keys.marker, keys.base, count, flowKey]);
    // The script's own answer.
    const [woken, left] = reply as [number, number];
    return { woken, left };
  }

  /**
   * Moves jobs that wait in one list into another one, where they keep their place. Those that wait there no longer are left.
   * @returns how many were moved
   */
  async move(from: string, to: string, jobIds: readonly string[]): Promise<number> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsMoveWaitingJobs', [keys.waitingList(from), keys.waitingLists, keys.waitingList(to), keys.base, from, to, ...jobIds]);
    return Number(reply);
  }

  /**
   * Of which flows up to `count` of the waiting jobs are, those left out of which nothing says it.
   * @param skipped so many newer ones are passed over
   */
  async look(waitingList: string, skipped: number, count: number): Promise<{ looked: number; jobs: WaitingJob[] }> {
    const { client, keys } = this.shard;
    const clusterNames = defaultClusterNames(this.defaultBrokers);
    const reply: unknown = await client.runCommand('krsLookAtWaiting', [keys.waitingList(waitingList), keys.base, skipped, count, clusterNames.length, ...clusterNames]);
    // The script's own answer: a number, then job ids and flows in turn.
    const [looked, ...pairs] = reply as [number, ...string[]];
    return { looked, jobs: Array.from({ length: pairs.length / 2 }, (_, nth) => ({ jobId: pairs[2 * nth] ?? '', flow: flowOfId(pairs[2 * nth + 1] ?? '') })) };
  }

  /**
   * Defers those of the first `count` due jobs, also of those that are still in the delayed set, whose deliveries are of one of these flows; dead letters stay. A flow whose key is
   * its host stands for "the others" of the host.
   * @param now   milliseconds since the epoch
   * @param until when they come back if no worker wakes them
   */
  async bulkDefer({ flows, known }: BulkDeferral, count: number, now: number, until: number): Promise<{ looked: number; deferred: number }> {
    const { client, keys } = this.shard;
    const clusterNames = defaultClusterNames(this.defaultBrokers);
    const matches = flows.flatMap(([flow, reason]) => matchesOf(flow, reason).flatMap((match) => [match, flow.id, reason]));
    const reply: unknown = await client.runCommand('krsBulkDefer', [keys.prioritized, keys.delayed, keys.waitingLists, keys.base, count, now, until, keys.waitingList(''), clusterNames.length, ...clusterNames, known.length, ...known, ...matches]);
    // The script's own answer.
    const [looked, deferred] = reply as [number, number];
    return { looked, deferred };
  }

  /**
   * Flow keys that have a waiting list, at most `limit`, and with each call the next ones: the newest first, and after the oldest from
   * the newest on again.
   */
  async next(limit: number): Promise<string[]> {
    const { client, keys } = this.shard;
    const reply: unknown = await client.runCommand('krsNextWaitingLists', [keys.waitingLists, limit, this.#nextRank]);
    // The script's own answer.
    const [nextRank, ...flowKeys] = reply as [number, ...string[]];
    this.#nextRank = nextRank;
    return flowKeys;
  }

  /** Lengths of all waiting lists, the oldest first and in steps of 1 ms, and of the named ones, however many others there are. */
  async depths(named: readonly string[]): Promise<WaitingListDepths> {
    const { client, keys } = this.shard;
    // A list that moves up while others go is read twice.
    const waitingOf = new Map<string, number>();
    let lists = 1;
    for (let from = 0; from < Math.min(lists, MOST_LISTS); from += LISTS_AT_ONCE) {
      const reply: unknown = await client.runCommand('krsWaitingListDepths', [keys.waitingLists, keys.waitingList(''), from, from + LISTS_AT_ONCE - 1, ...(from === 0 ? named : [])]);
      // The script's own answer: a number, then waiting lists and lengths in turn.
      const [all, ...pairs] = reply as [number, ...(string | number)[]];
      lists = all;
      for (let at = 0; at + 1 < pairs.length; at += 2) waitingOf.set(String(pairs[at]), Number(pairs[at + 1]));
    }
    return { depths: [...waitingOf].map(([id, waiting]) => ({ flow: flowOfId(id), waiting })), isComplete: lists <= MOST_LISTS };
  }
}
