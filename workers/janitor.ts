import { randomUUID } from 'node:crypto';
import type { PathMask } from '../shared/domain/destinations/path-mask.js';
import type { Clock } from '../shared/domain/ports.js';
import { pause, RepeatedStep } from '../shared/lifecycle/repeated-step.js';
import type { Logger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import type { RedisClient } from '../shared/redis/redis-connection.js';
import type { Shard } from '../shared/queue/engine/shard.js';
import { recountQuotas } from '../shared/queue/quota/quota-shard.js';
import { addSearchFields, firstStep, type Pass } from '../shared/queue/tasks/add-search-fields.js';
import { sweepCompleted, sweepDeadLetters } from '../shared/queue/tasks/sweep-finished.js';
import { searchStrays } from './stray-search.js';

/** A step of this size stays far under 20 ms. One of 2,000 steps of 500 took 22 ms, and all other commands waited for it. */
const RECORDS_PER_STEP = 200;
/** The pause between two steps of a sweep, so that other commands get their turn. */
const STEP_PAUSE_MS = 5;
/**
 * The pause after a step that found no fields to add. Nearly all are such: in a store of this version nothing is missing. With
 * 5 ms, the pass that follows each start cost a busy worker some percent of its deliveries.
 */
const IDLE_STEP_PAUSE_MS = 100;
const ROUND_EVERY_MS = 1_000;
const STRAYS_AFTER_MS = 60_000;
/** A round looks at a part of the shards, so that a worker that has nothing to remove asks little. */
const FEWEST_SHARDS_PER_ROUND = 2;
/** However many shards there are, each has its turn within so many rounds: sooner than the lead of one lapses. */
const ROUNDS_FOR_ALL = 8;
const LEADER_FOR_MS = 10_000;

/**
 * Pause between two passes over all jobs that look for missing search fields. During an update older processes store more
 * such jobs, so the next pass comes soon as long as any were found. Afterwards there are none, but nothing tells when the
 * last older process has ended, or whether one comes back. So a slow pass goes on.
 */
const LOOK_AGAIN_AFTER_FINDS_S = 60;
const LOOK_AGAIN_S = 3_600;
const RESTING = 'resting';

export interface Retention {
  readonly deliveredMs: number;
  readonly deliveredMax: number;
  readonly deadLetterMs: number;
}

/**
 * Looks after stored tasks: it removes finished records, adds search fields that an older version left out, counts the tasks of clients with a
 * quota anew, and finds tasks that stand in no set. It
 * removes delivered and cancelled tasks by age and number, dead letters by age, and parked ones never.
 * BullMQ's own removal is not used: its age rule would delete parked tasks with the rest, and works only when
 * another job ends. One worker of the fleet does it, by a key that lapses when that worker dies.
 */
export class Janitor {
  readonly #token = randomUUID();
  readonly #rounds = new RepeatedStep((signal) => this.#roundOfSome(signal));
  /** Shards whose records it could not remove: on a cluster one may be refused while another works. */
  readonly #failing = new Set<Shard>();
  /** Shards that have more to do: they are looked at in each round. */
  readonly #busy = new Set<Shard>();
  /** When the next step of the search for strays may come, monotonic ms. */
  readonly #strayStepAt = new Map<Shard, number>();
  /** A start has enough to do: nothing is looked for before, monotonic ms. */
  #straysFrom = 0;
  /** Index of the shard that is next. */
  #next = 0;
  /** When the idle ones had a turn last, monotonic ms. */
  #turnedAt = -Infinity;

  constructor(
    private readonly options: {
      readonly shards: readonly Shard[];
      readonly redis: RedisClient;
      readonly retention: Retention;
      /** What search fields show of a path. The default is defaultPathMask. */
      readonly mask?: PathMask;
      readonly clock: Clock;
      readonly logger: Logger;
      /** For how long it looks for no strays after its start, ms. The default is a minute. */
      readonly straysAfterMs?: number;
    },
  ) {}

  start(): void {
    const { straysAfterMs = STRAYS_AFTER_MS } = this.options;
    this.#straysFrom = performance.now() + straysAfterMs;
    this.#rounds.start();
  }

  /** It resolves when the step under way is done, or after 1 s. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #roundOfSome(signal: AbortSignal): Promise<number> {
    let pauseMs = ROUND_EVERY_MS;
    for (const shard of this.#inTurn()) {
      try {
        const nextMs = await this.#round(shard, signal);
        if (nextMs < ROUND_EVERY_MS) this.#busy.add(shard);
        else this.#busy.delete(shard);
        pauseMs = Math.min(pauseMs, nextMs);
        this.#failing.delete(shard);
      } catch (error) {
        // Nothing is lost by waiting, but a janitor that never succeeds fills Redis. It is logged once per change.
        if (!this.#failing.has(shard)) this.options.logger.warn('janitor: cannot look after stored tasks now', { queue: shard.queue.name, error: printError(error) });
        this.#failing.add(shard);
        this.#busy.delete(shard);
      }
    }
    return pauseMs;
  }

  #inTurn(): ReadonlySet<Shard> {
    const { shards } = this.options;
    const now = performance.now();
    if (this.#busy.size > 0 && now - this.#turnedAt < ROUND_EVERY_MS) return new Set(this.#busy);
    this.#turnedAt = now;
    const count = Math.min(shards.length, Math.max(FEWEST_SHARDS_PER_ROUND, Math.ceil(shards.length / ROUNDS_FOR_ALL)));
    const inTurn = [...shards, ...shards].slice(this.#next, this.#next + count);
    this.#next = (this.#next + count) % shards.length;
    return new Set([...this.#busy, ...inTurn]);
  }

  /**
   * Removes all that is to be removed, then adds fields and counts in one step each: in a full Redis removing comes first, and adding fails.
   * @returns the pause until the next round, ms
   */
  async #round(shard: Shard, signal: AbortSignal): Promise<number> {
    while (!signal.aborted && (await this.#isLeader(shard))) {
      const delivered = await this.#sweepDelivered(shard);
      const dead = await this.#sweepDeadLetters(shard);
      if (!delivered && !dead) return Math.min(await this.#addSearchFields(shard), (await recountQuotas(shard)) ? STEP_PAUSE_MS : ROUND_EVERY_MS, await this.#searchStrays(shard));
      await pause(STEP_PAUSE_MS, signal);
    }
    return ROUND_EVERY_MS;
  }

  async #isLeader({ keys }: Shard): Promise<boolean> {
    const { redis } = this.options;
    const leader = await redis.get(keys.janitorLock);
    if (leader === null) return (await redis.set(keys.janitorLock, this.#token, 'PX', LEADER_FOR_MS, 'NX')) === 'OK';
    if (leader !== this.#token) return false;
    // It is not atomic, and need not be: two leaders for a moment would only do the same work twice.
    await redis.pexpire(keys.janitorLock, LEADER_FOR_MS);
    return true;
  }

  /** @returns whether there may be more to do at once */
  async #sweepDelivered(shard: Shard): Promise<boolean> {
    const { retention, clock } = this.options;
    const removeBefore = clock() - retention.deliveredMs;
    const { removed } = await sweepCompleted(shard, { removeBefore, keepAtMost: retention.deliveredMax, records: RECORDS_PER_STEP, from: '-inf' });
    return removed === RECORDS_PER_STEP;
  }

  /**
   * The cursor stands behind the parked tasks at the old end of the set, so that they are looked at once, not in every
   * round. It never goes back: the tasks behind it were old enough, so each is removed, or parked. It is kept in Redis
   * for the next leader.
   */
  async #sweepDeadLetters(shard: Shard): Promise<boolean> {
    const { retention, clock, redis } = this.options;
    const { janitorCursor } = shard.keys;
    const cursor = (await redis.get(janitorCursor)) ?? '-inf';
    const removeBefore = clock() - retention.deadLetterMs;
    const { removed, looked, last } = await sweepDeadLetters(shard, { removeBefore, records: RECORDS_PER_STEP, from: cursor });
    // A full step of parked tasks with the same finishing time would be looked at for ever, so the cursor goes past that
    // time.
    const isStuck = looked === RECORDS_PER_STEP && removed === 0 && last === cursor;
    const next = isStuck ? `(${last}` : last;
    if (next !== cursor) await redis.set(janitorCursor, next);
    return looked === RECORDS_PER_STEP;
  }

  async #searchStrays(shard: Shard): Promise<number> {
    const now = performance.now();
    const stepAt = this.#strayStepAt.get(shard);
    if (stepAt === undefined && now < this.#straysFrom) return ROUND_EVERY_MS;
    // Another shard may have more to do, and rounds be many.
    if (stepAt !== undefined && now < stepAt) return IDLE_STEP_PAUSE_MS;
    this.#strayStepAt.set(shard, now + IDLE_STEP_PAUSE_MS);
    return (await searchStrays(shard, this.options.redis, this.options.logger)) ? IDLE_STEP_PAUSE_MS : ROUND_EVERY_MS;
  }

  /**
   * One step. The cursor is kept in Redis for the next leader. Between two passes a word stands there instead, which
   * lapses.
   * @returns the pause until the next one, ms
   */
  async #addSearchFields(shard: Shard): Promise<number> {
    const { redis, mask } = this.options;
    const cursor = shard.keys.searchFieldsCursor;
    const state = await redis.get(cursor);
    if (state === RESTING) return ROUND_EVERY_MS;
    const before = state === null ? firstStep : parsePass(state);
    const pass = await addSearchFields(shard, before, mask);
    if (pass.place === undefined) {
      await redis.set(cursor, RESTING, 'EX', pass.added > 0 ? LOOK_AGAIN_AFTER_FINDS_S : LOOK_AGAIN_S);
      return ROUND_EVERY_MS;
    }
    await redis.set(cursor, printPass(pass));
    return pass.added > before.added ? STEP_PAUSE_MS : IDLE_STEP_PAUSE_MS;
  }
}

/** @returns the first step for a text that no version of ours has written */
function parsePass(text: string): Pass {
  const [, place, cursor = '0', added] = /^(\d+) (\d+) (\d+)$/.exec(text) ?? [];
  return place === undefined ? firstStep : { place: Number(place), cursor, added: Number(added) };
}

function printPass({ place, cursor, added }: Pass): string {
  return `${place} ${cursor} ${added}`;
}
