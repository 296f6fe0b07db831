import type { BulkheadRules } from '../../shared/domain/flow-control.js';
import type { Lanes } from '../../shared/queue/lanes.js';
import { Bulkhead, type Ticket } from './bulkhead.js';

/** How often lanes are looked for that another process filled, or whose destination got room by others' ends. */
const TICK_MS = 200;
/** Lanes looked at in one tick; chosen at random, so each one has its turn. */
const LANES_PER_TICK = 100;
/** A woken task that has not come by then was fetched by another process. */
const EXPECT_FOR_MS = 1_000;
const MOST_WOKEN_AT_ONCE = 100;

/** What this process knows of a destination's deferred tasks. */
interface Line {
  /** Jobs in the lane of each shard, as far as known. */
  readonly depths: Map<Lanes, number>;
  isWaking: boolean;
  /** Woken by us and not here yet. */
  expected: number;
  wokenAt: number;
}

/**
 * The one place that is asked "may it start now?", and that wakes deferred tasks when there is room. The rule is
 * flow-control.ts, the slots are the bulkhead's, the lines of waiting tasks are in Redis.
 */
export class FlowControl {
  readonly #bulkhead: Bulkhead;
  readonly #shards: Lanes[] = [];
  readonly #lines = new Map<string, Line>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    rules: BulkheadRules,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#bulkhead = new Bulkhead(rules, now);
  }

  /** Begins to wake tasks of one more shard. */
  watch(lanes: Lanes): void {
    this.#shards.push(lanes);
    this.#timer ??= setTimeout(() => void this.#tick(), TICK_MS);
  }

  /** @returns undefined: it has to be deferred */
  enter(flowKey: string): Ticket | undefined | Promise<Ticket | undefined> {
    if (this.#isClosed) return undefined;
    const line = this.#lines.get(flowKey);
    if (line !== undefined && line.expected > 0) line.expected -= 1;
    return this.#bulkhead.enter(flowKey);
  }

  leave(ticket: Ticket): void {
    this.#bulkhead.leave(ticket);
    if (this.#lines.size > 0) this.#wakeSoon(ticket.destination.key);
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flowKey: string): number {
    const line = this.#lines.get(flowKey);
    return line === undefined ? 0 : [...line.depths.values()].reduce((sum, depth) => sum + depth, 0);
  }

  /** Puts a deferred job into its line. Never fails. */
  addHint(lanes: Lanes, flowKey: string, jobId: string, since: number): void {
    const line = this.#line(flowKey);
    line.depths.set(lanes, (line.depths.get(lanes) ?? 0) + 1);
    lanes.add(flowKey, jobId, since).then(
      (depth) => line.depths.set(lanes, depth),
      () => undefined, // a lost hint costs delay: the job comes back by itself
    );
  }

  /** No more starts and no more wake-ups: held tasks are deferred now. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#bulkhead.releaseHeld();
  }

  async #tick(): Promise<void> {
    try {
      for (const lanes of this.#shards) {
        for (const flowKey of await lanes.some(LANES_PER_TICK)) {
          const { depths } = this.#line(flowKey);
          if (!depths.has(lanes)) depths.set(lanes, 1);
        }
      }
      for (const flowKey of this.#lines.keys()) this.#wakeSoon(flowKey);
    } catch {
      // Redis is away: whoever owns the connection says so, and the next tick tries again.
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#tick(), TICK_MS);
  }

  #wakeSoon(flowKey: string): void {
    const line = this.#lines.get(flowKey);
    if (line === undefined || line.isWaking || this.#isClosed || this.#roomFor(flowKey, line) <= 0) return;
    line.isWaking = true;
    void this.#wake(flowKey, line).finally(() => {
      line.isWaking = false;
    });
  }

  async #wake(flowKey: string, line: Line): Promise<void> {
    for (const lanes of line.depths.keys()) {
      const room = this.#roomFor(flowKey, line);
      if (room <= 0) return;
      try {
        const { woken, left } = await lanes.wake(flowKey, Math.min(room, MOST_WOKEN_AT_ONCE));
        line.expected += woken;
        line.wokenAt = this.now();
        if (left === 0) line.depths.delete(lanes);
        else line.depths.set(lanes, left);
      } catch {
        return; // as in a tick
      }
    }
    if (line.depths.size === 0) this.#lines.delete(flowKey);
  }

  #roomFor(flowKey: string, line: Line): number {
    if (line.expected > 0 && this.now() - line.wokenAt > EXPECT_FOR_MS) line.expected = 0;
    return this.#bulkhead.room(flowKey) - line.expected;
  }

  #line(flowKey: string): Line {
    const known = this.#lines.get(flowKey);
    if (known !== undefined) return known;
    const made: Line = { depths: new Map(), isWaking: false, expected: 0, wokenAt: 0 };
    this.#lines.set(flowKey, made);
    return made;
  }
}
