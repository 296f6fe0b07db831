import { randomUUID } from 'node:crypto';
import { endedBulkStates, type BulkAction, type StateReason } from '../../shared/domain/bulk-actions/bulk-action.js';
import { inProgress, sumOfCounts } from '../../shared/domain/bulk-actions/bulk-counts.js';
import { isFailing } from '../../shared/domain/bulk-actions/first-sends.js';
import { circuitsOver, hasOpenedSince } from '../../shared/domain/bulk-actions/opened-circuit.js';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { flowOfEndpoint } from '../../shared/domain/flow/flow-key.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import type { TaskAction } from '../../shared/domain/task/state-actions.js';
import { pause, RepeatedStep } from '../../shared/lifecycle/repeated-step.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import { isFinished, type BulkShard } from '../../shared/queue/bulk-actions/bulk-shard.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';
import { RedisErrors } from '../../shared/redis/redis-error.js';
import { BulkMatching, type BulkMatchingOptions } from './bulk-matching.js';
import { eachLivingShard } from './living-shards.js';
import { MissingKeys } from './missing-keys.js';
import { OwnChanges } from './own-changes.js';
import { StaleSteps } from './stale-steps.js';

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

/** For so long an action waits for a worker that has the key which this one lacks: longer than a lease, and than a worker takes to start, ms. */
const KEY_WAIT_MS = 30_000;

/** What came of a step. */
interface Stepped {
  /** Until the next one, ms. */
  readonly pauseMs: number;
  /** Tasks of the shard whose turn has not come. */
  readonly left: number;
}

export interface BulkRunnerOptions extends BulkMatchingOptions {
  readonly flowStore: Pick<FlowStore, 'snapshot'>;
  readonly circuit: CircuitRules;
  /** The number of attempts that the board shows for a job includes it. */
  readonly deadAttempts: number;
  /** Opens and seals the headers of an override. */
  readonly secrets: SecretBox;
  /** Default 30 s. */
  readonly keyWaitMs?: number;
  /** Told of each step: how many tasks were started or changed, and of how many it was the turn. */
  readonly onStep: (action: TaskAction, started: number, through: number) => void;
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
  readonly #changes: OwnChanges;
  readonly #matching: BulkMatching;
  readonly #missingKeys: MissingKeys;
  readonly #stale: StaleSteps;
  #judgedAt = -Infinity;
  /** Turns of the actions to be worked on, and of those that may have come to rest. */
  #workTurn = 0;
  #settleTurn = 0;
  #isFailing = false;
  /** Is there an action whose numbers may still change? Until it has heard, it looks by itself. */
  #hasActions = true;

  constructor(private readonly options: BulkRunnerOptions) {
    this.#changes = new OwnChanges(options.actions, options.logger);
    this.#stale = new StaleSteps(this.#changes);
    this.#matching = new BulkMatching(this.#token, options, this.#changes, this.#stale);
    this.#missingKeys = new MissingKeys(this.#token, options.keyWaitMs ?? KEY_WAIT_MS, options.actions, this.#changes);
  }

  start(): void {
    this.#rounds.start();
  }

  /**
   * Flow control, which looks at Redis five times a second anyway, learns on the way how many actions there are whose numbers may still change. While
   * there is none, the runner asks Redis for nothing.
   */
  hear(actions: number): void {
    const isNew = actions > 0 && !this.#hasActions;
    this.#hasActions = actions > 0;
    if (isNew) this.#rounds.wake();
  }

  /** It resolves when the step under way is done, or after 1 s. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #roundOrRest(signal: AbortSignal): Promise<number> {
    if (!this.#hasActions) {
      this.#isFailing = false;
      this.#forgetAll();
      return LOOK_EVERY_MS;
    }
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
    const failures: unknown[] = [];
    for (const action of actions) {
      if (signal.aborted) return 0;
      try {
        pauseMs = Math.min(pauseMs, await this.#advanceOrFail(action, mayJudge, signal));
      } catch (error) {
        // A part of Redis that this action needs is away or full. Others may need another part.
        failures.push(error);
      }
    }
    // Those that have ended come to rest, whatever the others lack: until then they count for how many may be under way.
    if (mayJudge) {
      await this.#settle(await store.live(endedBulkStates, this.#settleTurn));
      this.#settleTurn += 1;
    }
    if (failures.length > 0 && failures.length === actions.length) throw failures[0];
    return pauseMs;
  }

  #forgetAll(): void {
    this.#unused.clear();
    this.#held.clear();
    this.#matching.forgetAll();
    this.#faults.clear();
    this.#missingKeys.forgetAll();
    this.#stale.forgetAll();
  }

  async #advanceOrFail(action: BulkAction, mayJudge: boolean, signal: AbortSignal): Promise<number> {
    try {
      const pauseMs = await this.#advance(action, mayJudge, signal);
      this.#faults.delete(action.id);
      return pauseMs;
    } catch (error) {
      if (error instanceof SealedTextError && error.fault === 'unknown_key') {
        this.options.logger.warn('a bulk action needs a key of SECRETS_KEYS that this worker does not have', { bulk_action_id: action.id, error: error.message });
        await this.#missingKeys.note(action, error);
        return LOOK_AFTER_FAILURE_MS;
      }
      if (this.#errors.classify(error) !== 'bug') throw error;
      const faults = (this.#faults.get(action.id) ?? 0) + 1;
      this.#faults.set(action.id, faults);
      this.options.logger.error('bug: a bulk action failed', { bulk_action_id: action.id, error: printError(error), stack: error instanceof Error ? error.stack : undefined });
      if (faults >= MOST_FAULTS) await this.#changes.make(action, { from: ['matching', 'running'], to: 'failed', reason: { code: 'internal', message: 'an error of ours: the log of the workers names it' }, fields: { doneAt: 'now' } });
      return LOOK_AFTER_FAILURE_MS;
    }
  }

  async #advance(action: BulkAction, mayJudge: boolean, signal: AbortSignal): Promise<number> {
    switch (action.state) {
      case 'matching':
        return this.#matching.step(action);
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

  // ---------------------------------------------------------------- running

  /** What it starts fails, so it pauses itself: a person has to look. */
  async #pauseIfFailing(action: BulkAction): Promise<boolean> {
    if (action.asked.action !== 'redrive' && action.asked.action !== 'send_now') return false;
    const reason = isFailing(await this.options.actions.firstSends(action.id), action.resumedAt) ? FAILING : await this.#circuitReason(action);
    if (reason === undefined) return false;
    await this.#changes.make(action, { from: ['running'], to: 'paused', reason });
    return true;
  }

  /** Where all its tasks go to one destination, and the circuit of that has opened since it began or was resumed. */
  async #circuitReason({ id, matchedAt, resumedAt }: BulkAction): Promise<StateReason | undefined> {
    const { actions, flowStore, circuit, defaultBrokers, mask } = this.options;
    const [first, ...others] = (await actions.partsOf(id)).flatMap((part) => part?.destination ?? []);
    if (first === undefined || first === 'several' || others.some((other) => JSON.stringify(other) !== JSON.stringify(first))) return undefined;
    const flow = flowOfEndpoint(first, first.flowKey, { defaultBrokers, mask });
    const { circuits, now } = await flowStore.snapshot(circuitsOver(flow));
    if (!hasOpenedSince(circuits.values(), Math.max(matchedAt ?? 0, resumedAt), now, circuit)) return undefined;
    return { code: 'circuit_open', message: `the circuit of ${flow.key} has opened: look at the receiver, then resume or cancel it` };
  }

  /** One step of each shard that is not in other hands. */
  async #run(action: BulkAction, signal: AbortSignal): Promise<number> {
    const { actions } = this.options;
    const parts = await actions.partsOf(action.id);
    // On a cluster the action stands on another server than its tasks: one that is promoted must not lack what the action takes for done.
    if (parts.every(isFinished) && (await actions.lastingPartsOf(action.id)).every(isFinished)) {
      await this.#changes.make(action, { from: ['running'], to: 'done', fields: { doneAt: 'now' } });
      return 0;
    }
    const pauseMs = await eachLivingShard(actions, parts, BUSY_PAUSE_MS, async (shard, { counts }, index) => {
      if (counts.pending === 0 || signal.aborted) return undefined;
      return this.#turn(action, shard, index, counts.pending, signal);
    });
    return parts.some((part) => part?.isSealed === false) ? Math.min(pauseMs, await this.#matching.again(action, parts)) : pauseMs;
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
    const step = await this.options.actions.asked.one(shard, () => shard.step(action, this.#token, most, { ...this.options, countsUnknownKeys: this.#missingKeys.isGivenUp(action.id) }));
    const held = `${action.id} ${index}`;
    if (step === 'busy') {
      this.#held.delete(held);
      return { pauseMs: BUSY_PAUSE_MS, left: 0 };
    }
    this.#held.add(held);
    if (step === 'stale') {
      await this.#stale.note(action);
      return { pauseMs: STEP_PAUSE_MS, left: 0 };
    }
    this.options.onStep(action.asked.action, step.started, step.through);
    // Tasks that were skipped use up nothing.
    if (action.rate !== null) this.#unused.set(action.id, Math.max(0, (this.#unused.get(action.id) ?? 0) - step.started));
    return { pauseMs: STEP_PAUSE_MS, left: step.left };
  }

  // ---------------------------------------------------------------- the end

  async #settle(ended: readonly BulkAction[]): Promise<void> {
    const { actions } = this.options;
    const parts = await actions.partsOfAll(ended.map(({ id }) => id));
    for (const [nth, action] of ended.entries()) {
      const known = (parts[nth] ?? []).flatMap((part) => part ?? []);
      // While a shard is away it is not known what is under way there.
      if (known.length < actions.shards.length) continue;
      // A failover has taken back what was done there.
      if (action.state === 'done' && !known.every(isFinished)) {
        await this.#changes.make(action, { from: ['done'], to: 'running', fields: { doneAt: null } });
        continue;
      }
      if (known.some(({ firstLeft }) => firstLeft > 0)) continue;
      if (inProgress(sumOfCounts(known.map(({ counts }) => counts)), action.asked.action) === 0) await actions.settle(action);
    }
  }
}
