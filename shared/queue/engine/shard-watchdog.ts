import { AlignedInterval } from '../../lifecycle/aligned-timer.js';
import type { DeliveringWorker } from './delivering-worker.js';
import { probeDue } from './due-probe.js';
import type { Shard } from './shard.js';
import { afterRebuild, firstMemory, isSuspicious, judgeShard, type ShardInRedis, type ShardLook, type ShardMemory, type StandstillTimes } from './shard-standstill.js';

export interface ShardWatchdogOptions {
  readonly shard: Shard;
  readonly times: StandstillTimes;
  /** The worker that takes the jobs of the shard now. */
  readonly worker: () => Pick<DeliveringWorker, 'taken' | 'calls'>;
  readonly state: () => Pick<ShardLook, 'isBraking' | 'refusedAt' | 'hasFreeSlot'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** @param reason for the log */
  readonly rebuild: (reason: string) => void;
  /** Rebuilding has not helped: the process has to end. */
  readonly giveUp: (reason: string) => void;
}

/** Looks at the worker of one shard at regular times. shard-standstill.ts judges what it sees. */
export class ShardWatchdog {
  #memory: ShardMemory;
  #timer: AlignedInterval | undefined;
  #isAsking = false;

  constructor(private readonly options: ShardWatchdogOptions) {
    this.#memory = firstMemory(performance.now());
  }

  start(): void {
    this.#memory = firstMemory(performance.now());
    // After a long turn of ours, answers stand in their sockets when the timer fires. They are read before the immediate runs.
    this.#timer ??= new AlignedInterval(this.options.times.lookMs, () => void setImmediate(this.#lookUnlessStopped));
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }

  readonly #lookUnlessStopped = (): void => {
    if (this.#timer !== undefined) void this.#look();
  };

  async #look(): Promise<void> {
    const { times, rebuild, giveUp } = this.options;
    const redis = isSuspicious(this.#memory, this.#see(), times) ? await this.#ask() : undefined;
    // It was stopped while Redis was asked.
    if (this.#timer === undefined) return;
    const { verdict, memory } = judgeShard(this.#memory, { ...this.#see(), redis }, times);
    this.#memory = memory;
    if (verdict.kind === 'rebuild') {
      rebuild(verdict.reason);
      this.#memory = afterRebuild(memory, performance.now());
    }
    if (verdict.kind === 'give_up') {
      this.stop();
      giveUp(verdict.reason);
    }
  }

  #see(): Omit<ShardLook, 'redis'> {
    const { worker, state, clock } = this.options;
    const { taken, calls } = worker();
    return { now: performance.now(), clock: clock(), taken, waitsEnded: calls.waitsEnded, oldestCall: calls.oldest, ...state() };
  }

  /** @returns undefined when Redis has not answered by the time of the next look */
  async #ask(): Promise<ShardInRedis | undefined> {
    // Redis has not answered the last time: a second question would only wait behind the first.
    if (this.#isAsking) return undefined;
    this.#isAsking = true;
    const answer = probeDue(this.options.shard).catch(() => undefined);
    void answer.then(() => {
      this.#isAsking = false;
    });
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.options.times.lookMs / 2);
    });
    const result = await Promise.race([answer, limit]);
    clearTimeout(timer);
    return result;
  }
}
