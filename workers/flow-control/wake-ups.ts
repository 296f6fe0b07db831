import { flowOfWaitingList, waitingListOf, type Flow } from '../../shared/domain/flow/flow-key.js';
import type { Deferral, WaitingLists } from '../../shared/queue/flow/waiting-lists.js';

/** WaitingLists looked at in one tick; chosen at random, so each one has its turn. */
const LANES_PER_TICK = 100;
/**
 * A woken task that has not come by then was fetched by another process. Longer, and each worker
 * of a fleet keeps slots empty for tasks that others send; and one that comes later is only put back once more.
 */
const EXPECT_FOR_MS = 60;
const MOST_WOKEN_AT_ONCE = 100;
/** Lines of one host that are asked for room before it is left to the next tick: many of them may be paused. */
const LINES_ASKED = 10;

/** What this process knows of the deferred tasks of one flow. */
interface Line {
  readonly flow: Flow;
  /** Jobs in the waiting list of each shard, as far as known. */
  readonly depths: Map<WaitingLists, number>;
  isWaking: boolean;
  /** Room was found while the line was being woken: to be looked at again. */
  isAskedAgain: boolean;
}

/** Woken by us in one call and not here yet: they will take the room of their host. */
interface Woken {
  count: number;
  readonly at: number;
}

export interface WakeUpsOptions {
  /** How many sends of the flow may start now; what it waits for may have to be asked for. */
  readonly roomFor: (flow: Flow) => number | Promise<number>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Wakes deferred tasks when there is room for them. Hints only: whatever is missed here comes back by itself, when its
 * time in the delayed set is over.
 */
export class WakeUps {
  readonly #shards: WaitingLists[] = [];
  readonly #lines = new Map<string, Line>();
  /** Lines that share the room of a host: flow_keys of an origin, topics of a cluster. Whose turn it is stands first. */
  readonly #hosts = new Map<string, Set<Line>>();
  /** By host, oldest first. */
  readonly #expected = new Map<string, Woken[]>();
  #isClosed = false;

  constructor(private readonly options: WakeUpsOptions) {}

  /** Lines and hosts that are remembered: of those that have tasks waiting, and for a second of those that had. */
  get remembered(): number {
    return this.#lines.size + this.#expected.size;
  }

  /** Begins to wake tasks of one more shard. */
  watch(waitingLists: WaitingLists): void {
    this.#shards.push(waitingLists);
  }

  /** A task of the host is here: perhaps one that was woken. */
  arrived(host: string): void {
    if (this.#expected.size === 0) return;
    const expected = this.#expected.get(host)?.find(({ count }) => count > 0);
    if (expected !== undefined) expected.count -= 1;
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flow: Flow): number {
    const line = this.#lines.get(waitingListOf(flow));
    return line === undefined ? 0 : [...line.depths.values()].reduce((sum, depth) => sum + depth, 0);
  }

  /** Puts a job back, and into its line. @throws as WaitingLists.defer */
  async defer(waitingLists: WaitingLists, flow: Flow, deferral: Deferral): Promise<void> {
    // Before it is sent: a wake-up that is asked for meanwhile comes after it.
    this.expectLane(waitingLists, flow, 1);
    const depth = await waitingLists.defer(waitingListOf(flow), deferral);
    // The line anew: a wake-up that found nothing may have dropped it meanwhile.
    this.#line(flow).depths.set(waitingLists, depth);
  }

  /** Jobs that were deferred past us; the next tick finds out how many. */
  expectLane(waitingLists: WaitingLists, flow: Flow, jobs: number): void {
    const { depths } = this.#line(flow);
    depths.set(waitingLists, (depths.get(waitingLists) ?? 0) + jobs);
  }

  /** A send of the flow is over: somebody else may start. */
  leave(flow: Flow): void {
    if (this.#lines.size === 0) return;
    const woken = this.#wakeNext(flow.host);
    // It may be a place of its own that got free.
    const own = this.#lines.get(waitingListOf(flow));
    if (own !== undefined && own !== woken) this.#wakeSoon(own);
  }

  /** Looks for waiting lists that others filled, and for room that came without one of our sends ending. */
  async tick(): Promise<void> {
    for (const waitingLists of this.#shards) {
      for (const waitingList of await waitingLists.some(LANES_PER_TICK)) {
        const { depths } = this.#line(flowOfWaitingList(waitingList));
        if (!depths.has(waitingLists)) depths.set(waitingLists, 1);
      }
    }
    // Those that others fetched never arrive here.
    for (const host of this.#expected.keys()) this.#expectedOf(host);
    let left = Math.min(this.#lines.size, 2 * LANES_PER_TICK);
    for (const [waitingList, line] of this.#lines) {
      if (left === 0) break;
      left -= 1;
      // To the end of the map: the next tick begins where this one stops.
      this.#lines.delete(waitingList);
      this.#lines.set(waitingList, line);
      this.#wakeSoon(line);
    }
  }

  /** Flows that have tasks waiting, under this name of theirs. */
  flowsNamed(name: string): Flow[] {
    return [...this.#lines.values()].map(({ flow }) => flow).filter(({ key, host }) => key === name || host === name);
  }

  close(): void {
    this.#isClosed = true;
  }

  /**
   * The lines of a host take turns: with the freed room left to the line of the send alone, a thousand flow_keys with
   * a task each would be woken by ticks only.
   * @returns the line that is being woken
   */
  #wakeNext(host: string): Line | undefined {
    const lines = this.#hosts.get(host);
    if (lines === undefined) return undefined;
    for (let left = Math.min(lines.size, LINES_ASKED); left > 0; left -= 1) {
      const [line] = lines;
      if (line === undefined) return undefined;
      lines.delete(line);
      lines.add(line);
      if (this.#wakeSoon(line)) return line;
    }
    return undefined;
  }

  /** @returns false: there is no room for it */
  #wakeSoon(line: Line): boolean {
    if (this.#isClosed) return false;
    if (line.isWaking) {
      line.isAskedAgain = true;
      return true;
    }
    const room = this.options.roomFor(line.flow);
    if (typeof room === 'number' && room - this.#expectedOf(line.flow.host) <= 0) return false;
    line.isWaking = true;
    void this.#wake(line, room).then((isRoomLeft) => {
      const { isAskedAgain } = line;
      line.isWaking = false;
      line.isAskedAgain = false;
      if (isAskedAgain && this.#lines.get(waitingListOf(line.flow)) === line) this.#wakeSoon(line);
      else if (isAskedAgain || isRoomLeft) this.#wakeNext(line.flow.host);
    });
    return true;
  }

  /** @returns whether it has used less than the room there was. Never fails. */
  async #wake(line: Line, roomNow: number | Promise<number>): Promise<boolean> {
    const { flow, depths } = line;
    const waitingList = waitingListOf(flow);
    let room: number;
    try {
      // Nothing is awaited where the room is known: another line of the host must not give it away again.
      room = (typeof roomNow === 'number' ? roomNow : await roomNow) - this.#expectedOf(flow.host);
      for (const waitingLists of depths.keys()) {
        if (room <= 0) return false;
        const wanted = Math.min(room, MOST_WOKEN_AT_ONCE);
        const expected = this.#expect(flow.host, wanted);
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
      return false; // Redis is away: whoever owns the connection says so, and the next tick tries again
    }
    if (depths.size === 0) this.#drop(waitingList, line);
    return room > 0;
  }

  #drop(waitingList: string, line: Line): void {
    // Another one may stand in its place by now.
    if (this.#lines.get(waitingList) === line) this.#lines.delete(waitingList);
    const lines = this.#hosts.get(line.flow.host);
    lines?.delete(line);
    if (lines?.size === 0) this.#hosts.delete(line.flow.host);
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

  #line(flow: Flow): Line {
    const waitingList = waitingListOf(flow);
    const known = this.#lines.get(waitingList);
    if (known !== undefined) return known;
    const made: Line = { flow, depths: new Map(), isWaking: false, isAskedAgain: false };
    this.#lines.set(waitingList, made);
    const lines = this.#hosts.get(flow.host);
    if (lines === undefined) this.#hosts.set(flow.host, new Set([made]));
    else lines.add(made);
    return made;
  }
}
