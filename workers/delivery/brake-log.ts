import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import { redisErrorCause, redisErrorCode, type RedisErrorClass } from '../../shared/redis/redis-error.js';

/** A bug does not brake, and can come back at once. This keeps it from filling the log. */
const BUG_LINE_EVERY_MS = 500;
/** Brakes that act within this time share a line. On a cluster 16 shards are refused at the same moment. */
const GATHER_MS = 250;

const pausedText = {
  full: 'redis is full: deliveries pause until it takes writes again',
  refused: 'redis refuses: deliveries pause until it takes writes again',
  unavailable: 'redis cannot answer now: deliveries pause until it does',
  bug: 'redis fails again and again: deliveries pause until it does not',
} as const satisfies Record<RedisErrorClass, string>;
const RESUMED = 'redis takes writes again: deliveries go on';

interface Line {
  readonly level: 'error' | 'info';
  readonly text: string;
  readonly cause: string | undefined;
  readonly queues: Set<string>;
}

/** The log lines of the brakes of all shards of one process. A line names all queues that it is about. */
export class BrakeLog {
  readonly #lines = new Map<string, Line>();
  #timer: NodeJS.Timeout | undefined;
  #bugLoggedAt = -Infinity;
  #bugsNotLogged = 0;

  /**
   * Both are called when a brake begins, so that what is behind it can be found out.
   * @param onRefused Redis refuses
   * @param onNoAnswer a connection has failed
   */
  constructor(
    private readonly logger: Pick<Logger, 'error' | 'warn' | 'info'>,
    private readonly onRefused: () => void = () => undefined,
    private readonly onNoAnswer: () => void = () => undefined,
  ) {}

  paused(queue: string, errorClass: RedisErrorClass, error: unknown): void {
    if (errorClass === 'refused') this.onRefused();
    if (errorClass === 'unavailable' && redisErrorCode(error) === undefined) this.onNoAnswer();
    // Causes of one kind may differ in a slot or an address.
    const code = redisErrorCode(error) ?? errorClass;
    this.#add(code, queue, { level: 'error', text: pausedText[errorClass], cause: redisErrorCause(error) });
  }

  resumed(queue: string): void {
    this.#add(RESUMED, queue, { level: 'info', text: RESUMED, cause: undefined });
  }

  bug(error: unknown): void {
    const now = performance.now();
    if (now - this.#bugLoggedAt < BUG_LINE_EVERY_MS) {
      this.#bugsNotLogged += 1;
      return;
    }
    this.logger.warn('worker error', { error: printError(error), not_logged: this.#bugsNotLogged === 0 ? undefined : this.#bugsNotLogged });
    this.#bugLoggedAt = now;
    this.#bugsNotLogged = 0;
  }

  /** Writes what has been gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    for (const { level, text, cause, queues } of lines) this.logger[level](text, { queues: [...queues].join(' '), cause });
  }

  #add(key: string, queue: string, line: Omit<Line, 'queues'>): void {
    const known = this.#lines.get(key);
    if (known === undefined) this.#lines.set(key, { ...line, queues: new Set([queue]) });
    else known.queues.add(queue);
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }
}
