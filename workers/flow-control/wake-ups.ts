import { flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import type { Deferral, WaitingLists } from '../../shared/queue/flow/waiting-lists.js';

/** Waiting lists looked at in one tick, a shard. Redis chooses them at random, so each has its turn. */
const LISTS_PER_TICK = 100;
/**
 * A woken task that has not come after this time, ms, was fetched by another process. With a longer time each worker of a
 * fleet would keep slots empty for tasks that others send. A task that comes later is only put back once more.
 */
const EXPECT_FOR_MS = 60;
const MOST_WOKEN_AT_ONCE = 100;
/** Flows of one host that are asked for room in one go. Many of them may be paused; the next tick asks the others. */
const FLOWS_ASKED = 10;

/** The deferred tasks of one flow, as far as this process knows. */
interface WaitingFlow {
  readonly flow: Flow;
  /** Jobs in the waiting list of each shard, as far as known. */
  readonly depths: Map<WaitingLists, number>;
  isWaking: boolean;
  /** More room was found while tasks of the flow were being woken: it is looked at once more. */
  isAskedAgain: boolean;
}

/** Tasks that we woke in one call and that are not here yet. They will take the room of their host. */
interface Woken {
  count: number;
  readonly at: number;
}

export interface WakeUpsOptions {
  /** How many sends of the flow may start now. A promise where Redis has to be asked. */
  readonly roomFor: (flow: Flow) => number | Promise<number>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Wakes deferred tasks when there is room for them. Its knowledge is only a hint: a task that is missed here comes back by
 * itself, when its time in the delayed set is over.
 */
export class WakeUps {
  readonly #shards: WaitingLists[] = [];
  readonly #flows = new Map<string, WaitingFlow>();
  /** Flows that share the room of a host: flow_keys of an origin, topics of a cluster. The next one to be woken stands first. */
  readonly #hosts = new Map<string, Set<WaitingFlow>>();
  /** Woken jobs of each host, the oldest first. */
  readonly #expected = new Map<string, Woken[]>();
  #isClosed = false;

  constructor(private readonly options: WakeUpsOptions) {}

  /** Flows and hosts that are remembered: those with tasks waiting, and for a second those that had some. */
  get remembered(): number {
    return this.#flows.size + this.#expected.size;
  }

  /** Begins to wake tasks of one more shard. */
  watch(waitingLists: WaitingLists): void {
    this.#shards.push(waitingLists);
  }

  /** A task of the host is here: perhaps one that was woken. */
  arrived({ hostId }: Flow): void {
    if (this.#expected.size === 0) return;
    const expected = this.#expected.get(hostId)?.find(({ count }) => count > 0);
    if (expected !== undefined) expected.count -= 1;
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flow: Flow): number {
    const waiting = this.#flows.get(flow.id);
    return waiting === undefined ? 0 : [...waiting.depths.values()].reduce((sum, depth) => sum + depth, 0);
  }

  /** Puts a job back, and into the waiting list of its flow. @throws as WaitingLists.defer */
  async defer(waitingLists: WaitingLists, flow: Flow, deferral: Deferral): Promise<void> {
    // Noted before the call: a wake-up that is asked for meanwhile reaches Redis after it.
    this.expectDeferred(waitingLists, flow, 1);
    const depth = await waitingLists.defer(flow.id, deferral);
    // Looked up again: a wake-up that found nothing may have dropped the flow meanwhile.
    this.#flowOf(flow).depths.set(waitingLists, depth);
  }

  /** Jobs of the flow were deferred in bulk; the next tick finds out how many there are. */
  expectDeferred(waitingLists: WaitingLists, flow: Flow, jobs: number): void {
    const { depths } = this.#flowOf(flow);
    depths.set(waitingLists, (depths.get(waitingLists) ?? 0) + jobs);
  }

  /** A send of the flow is over: another one may start. */
  leave(flow: Flow): void {
    if (this.#flows.size === 0) return;
    const woken = this.#wakeNext(flow.hostId);
    // The freed place may be one that only this flow can use: one of its own limit.
    const own = this.#flows.get(flow.id);
    if (own !== undefined && own !== woken) this.#wakeSoon(own);
  }

  /** Looks for waiting lists that others filled, and for room that came without one of our sends ending. */
  async tick(): Promise<void> {
    for (const waitingLists of this.#shards) {
      for (const waitingList of await waitingLists.some(LISTS_PER_TICK)) {
        const { depths } = this.#flowOf(flowOfId(waitingList));
        if (!depths.has(waitingLists)) depths.set(waitingLists, 1);
      }
    }
    // Forgets expected tasks that other processes fetched: they never arrive here.
    for (const host of this.#expected.keys()) this.#expectedOf(host);
    let left = Math.min(this.#flows.size, 2 * LISTS_PER_TICK);
    for (const [waitingList, waiting] of this.#flows) {
      if (left === 0) break;
      left -= 1;
      // To the end of the map: the next tick begins where this one stops.
      this.#flows.delete(waitingList);
      this.#flows.set(waitingList, waiting);
      this.#wakeSoon(waiting);
    }
  }

  /** Flows that have tasks waiting, under this name of theirs. */
  flowsNamed(name: string): Flow[] {
    return [...this.#flows.values()].map(({ flow }) => flow).filter(({ key, endpoint, host }) => name === EVERYTHING || key === name || endpoint === name || host === name);
  }

  close(): void {
    this.#isClosed = true;
  }

  /**
   * The flows of a host take turns. If a freed place belonged to the flow of the ended send alone, a thousand flow_keys
   * with one task each would be woken by ticks only.
   * @returns the flow that is being woken
   */
  #wakeNext(host: string): WaitingFlow | undefined {
    const flows = this.#hosts.get(host);
    if (flows === undefined) return undefined;
    for (let left = Math.min(flows.size, FLOWS_ASKED); left > 0; left -= 1) {
      const [waiting] = flows;
      if (waiting === undefined) return undefined;
      flows.delete(waiting);
      flows.add(waiting);
      if (this.#wakeSoon(waiting)) return waiting;
    }
    return undefined;
  }

  /** @returns false: there is no room for it */
  #wakeSoon(waiting: WaitingFlow): boolean {
    if (this.#isClosed) return false;
    if (waiting.isWaking) {
      waiting.isAskedAgain = true;
      return true;
    }
    const room = this.options.roomFor(waiting.flow);
    if (typeof room === 'number' && room - this.#expectedOf(waiting.flow.hostId) <= 0) return false;
    waiting.isWaking = true;
    void this.#wake(waiting, room).then((isRoomLeft) => {
      const { isAskedAgain } = waiting;
      waiting.isWaking = false;
      waiting.isAskedAgain = false;
      if (isAskedAgain && this.#flows.get(waiting.flow.id) === waiting) this.#wakeSoon(waiting);
      else if (isAskedAgain || isRoomLeft) this.#wakeNext(waiting.flow.hostId);
    });
    return true;
  }

  /** @returns whether room is left. Never fails. */
  async #wake(waiting: WaitingFlow, roomNow: number | Promise<number>): Promise<boolean> {
    const { flow, depths } = waiting;
    const waitingList = flow.id;
    let room: number;
    try {
      // Where the room is known nothing is awaited: meanwhile another flow of the host could use the same room.
      room = (typeof roomNow === 'number' ? roomNow : await roomNow) - this.#expectedOf(flow.hostId);
      for (const waitingLists of depths.keys()) {
        if (room <= 0) return false;
        const wanted = Math.min(room, MOST_WOKEN_AT_ONCE);
        const expected = this.#expect(flow.hostId, wanted);
        let woken = 0;
        try {
          const reply = await waitingLists.wake(waitingList, wanted);
          ({ woken } = reply);
          if (reply.left === 0) depths.delete(waitingLists);
          else depths.set(waitingLists, reply.left);
        } finally {
          expected.count -= wanted - woken;
        }
        room -= woken;
      }
    } catch {
      return false; // Redis is away: redis-watch.ts logs that, and the next tick tries again
    }
    if (depths.size === 0) this.#drop(waitingList, waiting);
    return room > 0;
  }

  #drop(waitingList: string, waiting: WaitingFlow): void {
    // Another one may stand in its place by now.
    if (this.#flows.get(waitingList) === waiting) this.#flows.delete(waitingList);
    const flows = this.#hosts.get(waiting.flow.hostId);
    flows?.delete(waiting);
    if (flows?.size === 0) this.#hosts.delete(waiting.flow.hostId);
  }

  #expect(host: string, count: number): Woken {
    const woken = { count, at: this.options.now() };
    const all = this.#expected.get(host);
    if (all === undefined) this.#expected.set(host, [woken]);
    else all.push(woken);
    return woken;
  }

  #expectedOf(host: string): number {
    const all = this.#expected.get(host);
    if (all === undefined) return 0;
    const oldestAt = this.options.now() - EXPECT_FOR_MS;
    const current = all.filter(({ count, at }) => count > 0 && at >= oldestAt);
    if (current.length === 0) this.#expected.delete(host);
    else this.#expected.set(host, current);
    return current.reduce((sum, { count }) => sum + count, 0);
  }

  #flowOf(flow: Flow): WaitingFlow {
    const waitingList = flow.id;
    const known = this.#flows.get(waitingList);
    if (known !== undefined) return known;
    const made: WaitingFlow = { flow, depths: new Map(), isWaking: false, isAskedAgain: false };
    this.#flows.set(waitingList, made);
    const flows = this.#hosts.get(flow.hostId);
    if (flows === undefined) this.#hosts.set(flow.hostId, new Set([made]));
    else flows.add(made);
    return made;
  }
}
