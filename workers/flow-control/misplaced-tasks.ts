import { taskIdOf } from '../../shared/queue/names.js';
import type { WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import type { KnownFlows } from './known-flows.js';
import type { WakeUps } from './wake-ups.js';

/** Waiting jobs that all workers together look at in one tick: about 1 ms of Redis' time. */
const LOOKED_AT_BY_FLEET = 250;
const FEWEST_LOOKED_AT = 25;
/** Calls of Redis in one tick: a Cluster has a list in each shard. */
const MOST_CALLS = 16;
/** Lists of which this process remembers how far it has come. With more of them each begins with its newest jobs again. */
const MOST_REMEMBERED = 1_000;

export interface MisplacedTasksOptions {
  readonly wakeUps: WakeUps;
  readonly known: KnownFlows;
  /** Workers of the fleet, this one included. */
  readonly workers: () => number;
}

/**
 * The first task of an endpoint counts as one of "the others" of its host, and may wait with them. When the others fail, it would wait
 * for minutes although its own endpoint is well. The worker that sees the second task does not always know of the first: another worker
 * had it, or bulk deferral put it there unfetched. So each tick looks at some of those that wait, the newest first, and puts
 * those of known flows into the waiting lists of these flows.
 */
export class MisplacedTasks {
  /** Lists that are still to be looked at in this round: each of them has its turn before the first one has another. */
  #turns: { readonly others: string; readonly waitingLists: WaitingLists }[] = [];
  /** How many jobs of a waiting list have been looked at in this turn. */
  readonly #passed = new Map<WaitingLists, Map<string, number>>();

  constructor(private readonly options: MisplacedTasksOptions) {}

  /** Never fails. */
  async tick(): Promise<void> {
    const { wakeUps, workers } = this.options;
    if (this.#turns.length === 0) this.#turns = wakeUps.listsOfOthers();
    const inTurn = this.#turns.splice(0, MOST_CALLS);
    if (inTurn.length === 0) return;
    // Each list has its share: one of 100,000 tasks must not use up the turns of all others.
    const share = Math.max(FEWEST_LOOKED_AT, Math.ceil(LOOKED_AT_BY_FLEET / workers() / inTurn.length));
    for (const { others, waitingLists } of inTurn) {
      // A shard that is away is one of many: the others are looked at all the same.
      if (!wakeUps.isAway(waitingLists)) await this.#look(waitingLists, others, share).catch(() => undefined);
    }
  }

  async #look(waitingLists: WaitingLists, others: string, count: number): Promise<void> {
    const { wakeUps, known } = this.options;
    const passed = this.#passedOf(waitingLists);
    const skipped = passed.get(others) ?? 0;
    const { looked, jobs } = await wakeUps.ask(waitingLists, () => waitingLists.look(others, skipped, count));
    const misplaced = new Map<string, { flow: (typeof jobs)[number]['flow']; jobIds: string[] }>();
    for (const { jobId, flow } of jobs) {
      const taskId = taskIdOf(jobId);
      // A flow_key may be the name of the host, and then its tasks belong here. One of another host or phase is here no longer.
      if (taskId === undefined || flow.key === flow.host || flow.hostId !== others || !known.isKnownTo(flow, taskId)) continue;
      const found = misplaced.get(flow.id);
      if (found === undefined) misplaced.set(flow.id, { flow, jobIds: [jobId] });
      else found.jobIds.push(jobId);
    }
    for (const { flow, jobIds } of misplaced.values()) await wakeUps.takeFromOthers(waitingLists, flow, jobIds);
    if (looked < count) passed.delete(others);
    else passed.set(others, skipped + looked);
  }

  #passedOf(waitingLists: WaitingLists): Map<string, number> {
    const known = this.#passed.get(waitingLists);
    if (known !== undefined && known.size < MOST_REMEMBERED) return known;
    const made = new Map<string, number>();
    this.#passed.set(waitingLists, made);
    return made;
  }
}
