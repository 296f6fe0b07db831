import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import { redisErrorCause, redisErrorCode, type RedisErrorClass, type RedisErrors } from '../../shared/redis/redis-error.js';
import { nextBrakeMs } from './brake-delay.js';

/**
 * A Redis that refuses does so within milliseconds. After this long without an error it works again, even if no task is
 * due.
 */
const TRIAL_MS = 500;
/** A bug does not brake, and can come back at once. This keeps it from filling the log. */
const BUG_LINE_EVERY_MS = 500;

const saidOf = {
  full: 'redis is full: deliveries pause until it takes writes again',
  refused: 'redis refuses: deliveries pause until it takes writes again',
  unavailable: 'redis cannot answer now: deliveries pause until it does',
} as const satisfies Record<Exclude<RedisErrorClass, 'bug'>, string>;

export interface RedisBrakeOptions {
  /** The name of the queue, for the log: with a cluster one shard may be refused and another not. */
  readonly queue: string;
  readonly errors: RedisErrors;
  readonly pause: () => void;
  readonly resume: () => void;
  /** A write that a full Redis refuses, too. */
  readonly tryWrite: () => Promise<unknown>;
  /** It is false while the connection is down. The connection's owner logs that, and its commands wait by themselves. */
  readonly isConnected: () => boolean;
  readonly logger: Pick<Logger, 'error' | 'warn' | 'info'>;
}

/**
 * Keeps a worker from asking a refusing Redis thousands of times a second (3,500 log lines a second were measured). It
 * pauses the worker for 1 s to 10 s at a time, lets it try again, and logs when a cause comes up and when it is over. A
 * bug does not brake: it is about one task, and the others go on.
 */
export class RedisBrake {
  /** The first word of the cause that the worker waits for. */
  #cause: string | undefined;
  #delayMs = 0;
  #isPaused = false;
  #timer: NodeJS.Timeout | undefined;
  #bugLoggedAt = -Infinity;
  #bugsNotLogged = 0;
  #isStopped = false;

  constructor(private readonly options: RedisBrakeOptions) {}

  /**
   * Call it with every error of Redis that the worker meets.
   * @returns whether the worker is now paused because of it
   */
  failed(error: unknown): boolean {
    const errorClass = this.options.errors.classify(error);
    if (errorClass === 'bug') {
      this.#logBug(error);
      return false;
    }
    // A reply of Redis counts even if the connection is made anew because of it (READONLY).
    if (redisErrorCode(error) === undefined && !this.options.isConnected()) return false;
    this.#brake(errorClass, error);
    return true;
  }

  /** Call it when Redis has let the worker start something. */
  worked(): void {
    if (this.#cause === undefined || this.#isPaused) return;
    clearTimeout(this.#timer);
    this.#cause = undefined;
    this.#delayMs = 0;
    this.options.logger.info('redis takes writes again: deliveries go on', { queue: this.options.queue });
  }

  /** The worker is drained, so it is not resumed any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #brake(errorClass: Exclude<RedisErrorClass, 'bug'>, error: unknown): void {
    // Tasks that end meanwhile are refused, too. The first refusal has been logged.
    if (this.#isPaused || this.#isStopped) return;
    const { queue, logger, pause } = this.options;
    const cause = redisErrorCode(error) ?? errorClass;
    if (cause !== this.#cause) logger.error(saidOf[errorClass], { queue, cause: redisErrorCause(error) });
    this.#cause = cause;
    this.#delayMs = nextBrakeMs(this.#delayMs);
    this.#isPaused = true;
    pause();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#tryAgain(), this.#delayMs);
  }

  async #tryAgain(): Promise<void> {
    const failure = await this.options.tryWrite().then(() => undefined, (error: unknown) => ({ error }));
    this.#isPaused = false;
    if (this.#isStopped || (failure !== undefined && this.failed(failure.error))) return;
    // Redis accepted this write, but it may still refuse what the worker does.
    this.#timer = setTimeout(() => this.worked(), TRIAL_MS);
    this.options.resume();
  }

  #logBug(error: unknown): void {
    const now = performance.now();
    if (now - this.#bugLoggedAt < BUG_LINE_EVERY_MS) {
      this.#bugsNotLogged += 1;
      return;
    }
    this.options.logger.warn('worker error', { error: printError(error), not_logged: this.#bugsNotLogged === 0 ? undefined : this.#bugsNotLogged });
    this.#bugLoggedAt = now;
    this.#bugsNotLogged = 0;
  }
}
