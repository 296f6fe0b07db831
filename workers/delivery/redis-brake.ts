import { redisErrorCode, type RedisErrorClass, type RedisErrors } from '../../shared/redis/redis-error.js';
import { nextBrakeMs } from './brake-delay.js';
import type { BrakeLog } from './brake-log.js';

/**
 * A Redis that refuses does so within milliseconds. After this long without an error it works again, even if no task is
 * due.
 */
const TRIAL_MS = 500;
/** How soon a brake looks again whether the connection is back, ms. */
const CONNECTED_AGAIN_MS = 250;
/**
 * So many bugs in a row, with no task between them, are not about one task: every fetch fails. Without a pause such a loop
 * asked Redis thousands of times a second.
 */
const BUGS_IN_A_ROW = 20;

export interface RedisBrakeOptions {
  /** The name of the queue, for the log: with a cluster one shard may be refused and another not. */
  readonly queue: string;
  readonly errors: RedisErrors;
  readonly pause: () => void;
  readonly resume: () => void;
  /** A write that a full Redis refuses, too. It is called only while the connection is up. */
  readonly tryWrite: () => Promise<unknown>;
  /** It is false while the connection is down. The connection's owner logs that, and its commands wait by themselves. */
  readonly isConnected: () => boolean;
  /** The same of the connection on which the worker waits for the next job, which Redis may refuse alone. */
  readonly isWaitConnected: () => boolean;
  readonly log: BrakeLog;
}

/**
 * Keeps a worker from asking a refusing Redis thousands of times a second (3,500 log lines a second were measured). It
 * pauses the worker for 0.25 s to 4 s at a time, lets it try again, and logs when a cause comes up and when it is over. A
 * bug alone does not brake: it is about one task, and the others go on.
 */
export class RedisBrake {
  /** The first word of the cause that the worker waits for. */
  #cause: string | undefined;
  #delayMs = 0;
  #isPaused = false;
  #isOfConnection = false;
  /** The worker goes on, and only the connection on which it waits is missing. */
  #isTrialOver = false;
  #timer: NodeJS.Timeout | undefined;
  #refusedAt = -Infinity;
  #bugsInARow = 0;
  #isStopped = false;

  constructor(private readonly options: RedisBrakeOptions) {}

  /** When Redis refused something last, monotonic milliseconds; -Infinity for never. */
  get refusedAt(): number {
    return this.#refusedAt;
  }

  /**
   * Whether the worker is kept from asking, or has only just been let go on. Not while it misses nothing but the connection on which it waits: that one may
   * hang for ever without an error, and the watchdog, which ends that, trusts a brake.
   */
  get isBraking(): boolean {
    return this.#cause !== undefined && !this.#isTrialOver;
  }

  /**
   * Call it with every error of Redis that the worker meets.
   * @returns whether the worker is now paused because of it
   */
  failed(error: unknown): boolean {
    const errorClass = this.options.errors.classify(error);
    if (errorClass === 'bug') {
      this.options.log.bug(error);
      this.#bugsInARow += 1;
      if (this.#bugsInARow < BUGS_IN_A_ROW) return false;
      this.#bugsInARow = 0;
    }
    this.#refusedAt = performance.now();
    // A reply of Redis counts even if the connection is made anew because of it (READONLY).
    if (redisErrorCode(error) === undefined && !this.options.isConnected()) return false;
    this.#brake(errorClass, error);
    return true;
  }

  /** Call it when Redis has let the worker start something. */
  worked(): void {
    this.#bugsInARow = 0;
    // Tasks that are due are fetched on one connection, and waited for on another: that one may be missing still.
    if (this.#cause === undefined || this.#isPaused || this.#isOfConnection) return;
    this.#isOver();
  }

  #isOver(): void {
    clearTimeout(this.#timer);
    this.#cause = undefined;
    this.#isTrialOver = false;
    this.#delayMs = 0;
    this.options.log.resumed(this.options.queue);
  }

  /** The worker is drained, so it is not resumed any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #brake(errorClass: RedisErrorClass, error: unknown): void {
    // Tasks that end meanwhile are refused, too. The first refusal has been logged.
    if (this.#isPaused || this.#isStopped) return;
    const { queue, log, pause } = this.options;
    const cause = redisErrorCode(error) ?? errorClass;
    if (cause !== this.#cause) log.paused(queue, errorClass, error);
    this.#cause = cause;
    this.#isOfConnection = redisErrorCode(error) === undefined;
    this.#delayMs = nextBrakeMs(this.#delayMs, errorClass);
    this.#isPaused = true;
    this.#isTrialOver = false;
    pause();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#tryAgain(), this.#delayMs);
  }

  async #tryAgain(): Promise<void> {
    // Nothing can be written now, and that says nothing about what Redis refuses.
    if (!this.options.isConnected()) {
      this.#timer = setTimeout(() => void this.#tryAgain(), CONNECTED_AGAIN_MS);
      return;
    }
    const failure = await this.options.tryWrite().then(() => undefined, (error: unknown) => ({ error }));
    this.#isPaused = false;
    if (this.#isStopped || (failure !== undefined && this.failed(failure.error))) return;
    // Redis accepted this write, but it may still refuse what the worker does.
    this.#timer = setTimeout(() => this.#endTrial(), TRIAL_MS);
    this.options.resume();
  }

  /** "Redis takes writes again" has to be true when it is logged, and the connection may have gone since the trial. */
  #endTrial(): void {
    this.#isTrialOver = this.options.isConnected();
    if (this.#isTrialOver && this.options.isWaitConnected()) this.#isOver();
    else this.#timer = setTimeout(() => this.#endTrial(), CONNECTED_AGAIN_MS);
  }
}
