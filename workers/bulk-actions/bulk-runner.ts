import { randomUUID } from 'node:crypto';
import { narrowedFilter } from '../../shared/domain/access/narrowed-filter.js';
import { printActor } from '../../shared/domain/actor.js';
import { endedBulkStates, type BulkAction, type StateReason } from '../../shared/domain/bulk-actions/bulk-action.js';
import { inProgress, sumOfCounts, type BulkCounts } from '../../shared/domain/bulk-actions/bulk-counts.js';
import { isFailing } from '../../shared/domain/bulk-actions/first-sends.js';
import { limitShares } from '../../shared/domain/bulk-actions/limit-shares.js';
import { circuitsOver, hasOpenedSince } from '../../shared/domain/bulk-actions/opened-circuit.js';
import { flowNamed } from '../../shared/domain/destinations/flow.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { canonicalName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { pause, RepeatedStep } from '../../shared/lifecycle/repeated-step.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import type { BulkActions } from '../../shared/queue/bulk-actions/bulk-actions.js';
import type { BulkChange } from '../../shared/queue/bulk-actions/bulk-action-store.js';
import { compileFilter } from '../../shared/queue/search/compile-filter.js';
import { MATCHED, type BulkShard, type ShardOfAction } from '../../shared/queue/bulk-actions/bulk-shard.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { TakeTurn } from '../../shared/queue/scan/scan-tasks.js';
import { ScanTurns } from '../../shared/queue/scan/scan-turns.js';
import { shardOf } from '../../shared/queue/names.js';
import { RedisErrors } from '../../shared/redis/redis-error.js';

/** Tasks of one step; it ends sooner when they take Redis too long. */
const TASKS_PER_STEP = 100;
/** The pause between two steps, ms, so that other commands get their turn. */
const STEP_PAUSE_MS = 5;
/**
 * For so long at most the steps of a round follow each other, all shards together, ms. After it the worker reads again what is to be done.
 * One that did so before each step would wait for three answers a step, and in a crowded worker that is too slow for some rates.
 */
const ROUND_MS = 150;
/** How often a worker looks for an action that began, was resumed or has come to rest, ms. */
const LOOK_EVERY_MS = 200;
/** The pause of a worker whose shards are all in other hands, ms. */
const BUSY_PAUSE_MS = 200;
/** How often it asks whether what was started fails, and whether the numbers of ended actions have come to rest, ms. */
const JUDGE_EVERY_MS = 300;
/** After a failure of Redis, ms. */
const LOOK_AFTER_FAILURE_MS = 1_000;
const FAILING: StateReason = { code: 'failing', message: 'more than half of the last sends that it started have failed: look at the receiver, then resume or cancel it' };
/** An action that fails by a fault of ours so often in a row ends `failed`: it would fail for ever. */
const MOST_FAULTS = 5;

/** What came of a step. */
interface Stepped {
  /** Until the next one, ms. */
  readonly pauseMs: number;
  /** Tasks of the shard whose turn has not come. */
  readonly left: number;
}

export interface BulkRunnerOptions {
  readonly actions: BulkActions;
  readonly flowStore: Pick<FlowStore, 'snapshot'>;
  readonly circuit: CircuitRules;
  readonly defaultBrokers: DefaultBrokers;
  /** The number of attempts that the board shows for a job includes it. */
  readonly deadAttempts: number;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
  readonly secrets: SecretBox;
  /** Has Redis used up its memory for new tasks? */
  readonly isRedisAboveMark: () => Promise<boolean>;
  /** Of itself an action has paused or ended. It never fails. */
  readonly onChange: (action: BulkAction, counts: BulkCounts) => Promise<void>;
  readonly logger: Logger;
}

/**
 * Carries bulk actions out, in every worker. A shard of an action is in the hands of one worker at a time, by a lease that lapses. All
 * progress is written in the script that makes it, so any worker goes on where a killed one was.
 */
export class BulkRunner {
  readonly #token = randomUUID();
  readonly #rounds = new RepeatedStep((signal) => this.#roundOrRest(signal));
  readonly #errors = new RedisErrors();
  /** Shares of a rate that were not used, by action. */
  readonly #unused = new Map<string, number>();
  /** Shards in our hands: `<action> <shard>`. */
  readonly #held = new Set<string>();
  readonly #faults = new Map<string, number>();
  /** Matching leaves Redis to the deliveries as the searches of the API do. */
  readonly #scans = new ScanTurns();
  #judgedAt = -Infinity;
  /** Turns of the actions to be worked on, and of those that may have come to rest. */
  #workTurn = 0;
  #settleTurn = 0;
  #isFailing = false;

  constructor(private readonly options: BulkRunnerOptions) {}

  start(): void {
    this.#rounds.start();
  }

  /** It resolves when the step under way is done, or after 1 s. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #roundOrRest(signal: AbortSignal): Promise<number> {
    try {
      const pauseMs = await this.#round(signal);
      this.#isFailing = false;
      return pauseMs;
    } catch (error) {
      // Redis is away, full or read-only. Nothing is lost: what is written down is done later.
      if (!this.#isFailing) this.options.logger.warn('bulk actions: cannot go on now', { error: printError(error) });
      this.#isFailing = true;
      return LOOK_AFTER_FAILURE_MS;
    }
  }

  /** @returns the pause until the next one, ms */
  async #round(signal: AbortSignal): Promise<number> {
    const { store } = this.options.actions;
    const mayJudge = performance.now() - this.#judgedAt >= JUDGE_EVERY_MS;
    if (mayJudge) this.#judgedAt = performance.now();
    // Paused ones, and ended ones whose tasks are under way, can be many. They must not keep the others from their turn.
    const actions = await store.live(['matching', 'running'], this.#workTurn);
    this.#workTurn += 1;
    if (actions.length === 0) this.#forgetAll();
    let pauseMs = LOOK_EVERY_MS;
    for (const action of actions) {
      if (signal.aborted) return 0;
      pauseMs = Math.min(pauseMs, await this.#advanceOrFail(action, mayJudge, signal));
    }
    if (mayJudge) {
      await this.#settle(await store.live(endedBulkStates, this.#settleTurn));
      this.#settleTurn += 1;
    }
    return pauseMs;
  }

  #forgetAll(): void {
    this.#unused.clear();
    this.#held.clear();
    this.#faults.clear();
  }

  async #advanceOrFail(action: BulkAction, mayJudge: boolean, signal: AbortSignal): Promise<number> {
    try {
      const pauseMs = await this.#advance(action, mayJudge, signal);
      this.#faults.delete(action.id);
      return pauseMs;
    } catch (error) {
      if (this.#errors.classify(error) !== 'bug') throw error;
      const faults = (this.#faults.get(action.id) ?? 0) + 1;
      this.#faults.set(action.id, faults);
      this.options.logger.error('bug: a bulk action failed', { bulk_action_id: action.id, error: printError(error), stack: error instanceof Error ? error.stack : undefined });
      if (faults >= MOST_FAULTS) await this.#change(action, { from: ['matching', 'running'], to: 'failed', reason: { code: 'internal', message: 'an error of ours: the log of the workers names it' }, fields: { doneAt: 'now' } });
      return LOOK_AFTER_FAILURE_MS;
    }
  }

  async #advance(action: BulkAction, mayJudge: boolean, signal: AbortSignal): Promise<number> {
    switch (action.state) {
      case 'matching':
        return this.#match(action);
      case 'running':
        if (mayJudge && (await this.#pauseIfFailing(action))) return 0;
        return this.#run(action, signal);
      case 'paused':
      case 'done':
      case 'cancelled':
      case 'refused':
      case 'failed':
        return LOOK_EVERY_MS;
    }
  }

  // ---------------------------------------------------------------- matching

  /** One step of each shard that is not in other hands. Nothing is touched yet. */
  async #match(action: BulkAction): Promise<number> {
    const { actions, isRedisAboveMark } = this.options;
    const parts = await actions.partsOf(action.id);
    if (parts.every(({ cursor }) => cursor === MATCHED)) return this.#begin(action, parts);
    if (await isRedisAboveMark()) {
      await this.#change(action, { from: ['matching'], to: 'failed', reason: { code: 'redis_full', message: 'redis has used up its memory for new tasks, and the list of matching ones needs some; no task was touched' }, fields: { doneAt: 'now' } });
      return 0;
    }
    let pauseMs = BUSY_PAUSE_MS;
    for (const [index, shard] of actions.shards.entries()) {
      const cursor = parts[index]?.cursor ?? '';
      if (cursor === MATCHED) continue;
      const answer = await this.#matchStep(action, shard, index, cursor);
      if (answer === 'incomplete') {
        await this.#change(action, { from: ['matching'], to: 'failed', reason: { code: 'incomplete', message: 'too many due tasks wait in one list to look at all of them; no task was touched' }, fields: { doneAt: 'now' } });
        return 0;
      }
      if (answer !== 'busy') pauseMs = STEP_PAUSE_MS;
    }
    return pauseMs;
  }

  async #matchStep(action: BulkAction, shard: BulkShard, index: number, cursor: string): ReturnType<BulkShard['writeDownFound']> {
    const held = `${action.id} ${index}`;
    // A search of which nothing could be written down would only cost Redis its time.
    const claim = this.#held.has(held) ? { cursor } : await shard.claimMatching(action, this.#token, cursor);
    if (typeof claim === 'string' || claim.cursor !== cursor) return claim;
    const answer = await this.#writeDownStep(action, shard, index, cursor);
    if (answer === 'busy') this.#held.delete(held);
    else this.#held.add(held);
    return answer;
  }

  async #writeDownStep(action: BulkAction, shard: BulkShard, index: number, cursor: string): ReturnType<BulkShard['writeDownFound']> {
    const { conditions, clientIds } = action.asked;
    const takeTurn: TakeTurn = (step) => this.#scans.take(step);
    // Of the ids that were given, those of other clients are not found, as if there were no such tasks.
    const plan = compileFilter(narrowedFilter(conditions ?? [], clientIds), { defaultBrokers: this.options.defaultBrokers, mask: this.options.mask });
    if (conditions !== null) return shard.writeDownFound(action, this.#token, plan, cursor, takeTurn);
    const chunk = cursor === '' ? 0 : Number(cursor);
    const { ids, isLast } = await this.options.actions.store.givenIds(action.id, chunk);
    const own = ids.filter((id) => shardOf(id, this.options.actions.shards.length) === index);
    return shard.writeDownIds(action, this.#token, plan, own, cursor, isLast ? MATCHED : String(chunk + 1), takeTurn);
  }

  /** Matching is over in all shards: what was found is taken, or refused. A worker that is killed in between begins again. */
  async #begin(action: BulkAction, parts: readonly ShardOfAction[]): Promise<number> {
    const { id, asked } = action;
    const found = parts.map((part) => part.found ?? 0);
    const all = found.reduce((sum, number) => sum + number, 0);
    const isRefused = asked.expected !== null && asked.expected !== all;
    const shares = isRefused || asked.limit === null ? found : await this.#sharesOf(id, found, asked.limit);
    await Promise.all(this.options.actions.shards.map((shard, index) => shard.seal(id, shares[index] ?? 0)));
    const change: BulkChange = isRefused
      ? { from: ['matching'], to: 'refused', reason: { code: 'count_differs', message: `${asked.expected} tasks were expected, and ${all} match; none was touched` }, fields: { matchedAt: 'now', doneAt: 'now' } }
      : { from: ['matching'], to: 'running', fields: { matchedAt: 'now' } };
    await this.#change(action, change);
    return 0;
  }

  async #sharesOf(id: string, found: readonly number[], limit: number): Promise<readonly number[]> {
    const { shards } = this.options.actions;
    const scores = (await Promise.all(shards.map((shard) => shard.scores(id)))).flatMap((pair) => pair ?? []);
    if (scores.length === 0) return found;
    return limitShares(found, limit, Math.min(...scores), Math.max(...scores), (score) => Promise.all(shards.map((shard) => shard.countUpTo(id, score))));
  }

  // ---------------------------------------------------------------- running

  /** What it starts fails, so it pauses itself: a person has to look. */
  async #pauseIfFailing(action: BulkAction): Promise<boolean> {
    if (action.asked.action !== 'redrive') return false;
    const reason = isFailing(await this.options.actions.firstSends(action.id), action.resumedAt) ? FAILING : await this.#circuitReason(action);
    if (reason === undefined) return false;
    await this.#change(action, { from: ['running'], to: 'paused', reason });
    return true;
  }

  /** Where all its tasks go to one destination, and the circuit of that has opened since it began or was resumed. */
  async #circuitReason({ id, matchedAt, resumedAt }: BulkAction): Promise<StateReason | undefined> {
    const { actions, flowStore, circuit, defaultBrokers, mask } = this.options;
    const [first, ...others] = (await actions.partsOf(id)).flatMap(({ destination }) => destination ?? []);
    if (first === undefined || first === 'several' || others.some((other) => JSON.stringify(other) !== JSON.stringify(first))) return undefined;
    const host = canonicalName(first.host, defaultBrokers, mask);
    const endpoint = host + first.path;
    const flow = flowNamed(first.flowKey === undefined ? endpoint : canonicalName(first.flowKey, defaultBrokers, mask), host, { endpoint });
    const { circuits, now } = await flowStore.snapshot(circuitsOver(flow));
    if (!hasOpenedSince(circuits.values(), Math.max(matchedAt ?? 0, resumedAt), now, circuit)) return undefined;
    return { code: 'circuit_open', message: `the circuit of ${flow.key} has opened: look at the receiver, then resume or cancel it` };
  }

  /** One step of each shard that is not in other hands. */
  async #run(action: BulkAction, signal: AbortSignal): Promise<number> {
    const { actions } = this.options;
    const parts = await actions.partsOf(action.id);
    if (parts.every(({ counts }) => counts.pending === 0)) {
      await this.#change(action, { from: ['running'], to: 'done', fields: { doneAt: 'now' } });
      return 0;
    }
    let pauseMs = BUSY_PAUSE_MS;
    for (const [index, shard] of actions.shards.entries()) {
      const pending = parts[index]?.counts.pending ?? 0;
      if (pending === 0) continue;
      pauseMs = Math.min(pauseMs, await this.#turn(action, shard, index, pending, signal));
      if (signal.aborted) break;
    }
    return pauseMs;
  }

  /** Steps in a row. A change of the action ends them. @returns the pause until its next turn, ms */
  async #turn(action: BulkAction, shard: BulkShard, index: number, pending: number, signal: AbortSignal): Promise<number> {
    const endsAt = performance.now() + ROUND_MS / this.options.actions.shards.length;
    for (let wanted = pending; ; ) {
      const { pauseMs, left } = await this.#share(action, shard, index, Math.min(TASKS_PER_STEP, wanted));
      if (left === 0 || pauseMs !== STEP_PAUSE_MS || performance.now() >= endsAt || signal.aborted) return pauseMs;
      wanted = left;
      await pause(STEP_PAUSE_MS, signal);
    }
  }

  /** One step, with as many tasks as the rate allows. @returns `left` 0 where that is not known */
  async #share(action: BulkAction, shard: BulkShard, index: number, wanted: number): Promise<Stepped> {
    if (action.rate === null) return this.#step(action, shard, index, wanted);
    // A share of the rate is asked for only by the worker that can use it.
    const held = `${action.id} ${index}`;
    if (!this.#held.has(held) && (await this.#step(action, shard, index, 0)).pauseMs === BUSY_PAUSE_MS) return { pauseMs: BUSY_PAUSE_MS, left: 0 };
    const { granted, waitMs } = await this.options.actions.store.share(action.id, wanted, this.#unused.get(action.id) ?? 0);
    this.#unused.set(action.id, granted);
    if (granted === 0) return { pauseMs: Math.max(STEP_PAUSE_MS, waitMs), left: 0 };
    return this.#step(action, shard, index, granted);
  }

  async #step(action: BulkAction, shard: BulkShard, index: number, most: number): Promise<Stepped> {
    const step = await shard.step(action, this.#token, most, this.options);
    const held = `${action.id} ${index}`;
    if (step === 'busy') {
      this.#held.delete(held);
      return { pauseMs: BUSY_PAUSE_MS, left: 0 };
    }
    this.#held.add(held);
    if (step === 'stale') return { pauseMs: 0, left: 0 };
    // Tasks that were skipped use up nothing.
    if (action.rate !== null) this.#unused.set(action.id, Math.max(0, (this.#unused.get(action.id) ?? 0) - step.started));
    return { pauseMs: STEP_PAUSE_MS, left: step.left };
  }

  // ---------------------------------------------------------------- the end

  async #settle(ended: readonly BulkAction[]): Promise<void> {
    const { actions } = this.options;
    if (ended.length === 0) return;
    const ids = ended.map(({ id }) => id);
    const parts = await Promise.all(actions.shards.map((shard) => shard.read(ids)));
    for (const [index, { id, asked }] of ended.entries()) {
      const counts = sumOfCounts(parts.flatMap((part) => part[index]?.counts ?? []));
      if (inProgress(counts, asked.action) === 0) await actions.settle(id);
    }
  }

  async #change(action: BulkAction, change: BulkChange): Promise<void> {
    const changed = await this.options.actions.change(action.id, change);
    // Another worker, or a person, was faster.
    if (changed?.isChanged !== true) return;
    this.#log(changed.action, change.reason);
    // A person has begun it, and has an entry for that.
    if (changed.action.state !== 'running') await this.options.onChange(changed.action, await this.options.actions.countsOf(action.id));
  }

  /** It is the service that does it, for the person who asked for the action. */
  #log({ id, asked, state }: BulkAction, reason: StateReason | undefined): void {
    this.options.logger.info('bulk action', { bulk_action_id: id, action: asked.action, state, code: reason?.code, detail: reason?.message, asked_by: printActor(asked.createdBy), reason: asked.reason ?? undefined });
  }
}

