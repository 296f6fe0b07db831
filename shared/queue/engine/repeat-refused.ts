import type { RedisQueueBackend } from 'bullmq';
import { classifyRedisError, redisErrorCode } from '../../redis/redis-error.js';
import type { BullmqScriptName } from './bullmq-contract.js';

/** The calls that write down what became of a job. */
const TRANSITIONS: ReadonlySet<string> = new Set(['moveToFinished', 'moveToDelayed', 'retryJob', 'moveJobFromActiveToWait'] satisfies readonly BullmqScriptName[]);
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

export interface RepeatOptions {
  /** So long a job belongs to the worker without a renewal, ms. */
  readonly lockMs: number;
  /** Told of each refusal. */
  readonly onRefused: (error: unknown) => void;
}

/**
 * Repeats the record of a job that Redis refuses for a moment: too few replicas, a failed snapshot, a failover, a long script. BullMQ does so only
 * when its connection is lost. With any other error it throws the outcome away, and a task that has arrived was sent a second time.
 *
 * The lock decides whether a late record counts, so there is no harm in it. When the lock must have lapsed, the error is thrown.
 */
export function repeatRefused(backend: RedisQueueBackend, { lockMs, onRefused }: RepeatOptions): RedisQueueBackend {
  const execute = backend.execCommand.bind(backend);
  backend.execCommand = (client, command, args: unknown[]): unknown => {
    const first: unknown = execute(client, command, args);
    // In a MULTI a command gives no promise of its own.
    if (!TRANSITIONS.has(command) || !(first instanceof Promise)) return first;
    const until = performance.now() + lockMs;
    return first.catch((error: unknown) => repeat(error, () => execute(client, command, args), until, onRefused));
  };
  return backend;
}

async function repeat(first: unknown, again: () => unknown, until: number, onRefused: (error: unknown) => void): Promise<unknown> {
  let error = first;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (!isRefusedForNow(error) || performance.now() + pauseMs >= until) throw error;
    onRefused(error);
    await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
    try {
      return await again();
    } catch (next) {
      error = next;
    }
  }
}

/** Has Redis done nothing, for a cause that is not this job's own? */
export function isRefusedForNow(error: unknown): boolean {
  return classifyRedisError(error) !== 'bug' && redisErrorCode(error) !== 'WRONGTYPE';
}
