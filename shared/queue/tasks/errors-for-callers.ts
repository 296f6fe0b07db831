import { RequestError } from '../../domain/errors.js';
import type { RequestErrorCode } from '../../domain/request-errors.js';
import { isReadOnly, redisErrorCode, RedisErrors, type RedisErrorClass } from '../../redis/redis-error.js';
import { NotReplicatedError } from '../../redis/replicated-writes.js';
import { MismatchError } from '../engine/mismatch-error.js';
import { UnreadableTaskError } from './task-codec.js';
import type { TaskQueueOptions } from './task-queue-options.js';

const codeOf = { full: 'redis_full', refused: 'redis_refused', unavailable: 'redis_unavailable' } as const satisfies Record<Exclude<RedisErrorClass, 'bug'>, RequestErrorCode>;
/** The queue for callers of the API, without its inner parts. */
const messageOf = {
  full: 'redis is full',
  refused: 'redis answers, and refuses to do this now',
  unavailable: 'redis connection failed',
} as const satisfies Record<Exclude<RedisErrorClass, 'bug'>, string>;

/** Whether it was made of an error of Redis. */
export function isOfRedis(error: unknown): boolean {
  return error instanceof RequestError && (Object.values(codeOf) as readonly RequestErrorCode[]).includes(error.code);
}

/** What `work` resolves with, or refuses with, to be told later. What fails because of Redis has no answer, and rejects. */
export async function answerOf<T>(work: () => Promise<T>): Promise<() => T> {
  try {
    const result = await work();
    return () => result;
  } catch (error) {
    if (!(error instanceof RequestError) || isOfRedis(error)) throw error;
    return () => {
      throw error;
    };
  }
}

/** Turns the errors of one queue into those that callers of the API are told. */
export class ErrorsForCallers {
  readonly #classes = new RedisErrors();

  constructor(private readonly options: Pick<TaskQueueOptions, 'refusals' | 'access'>) {}

  classify(error: unknown): RedisErrorClass {
    return this.#classes.classify(error);
  }

  /**
   * Makes the code for a caller of the API from an error of Redis. No other place does this.
   * @returns a bug of ours unchanged: it is answered 500, and logged
   */
  asRequestError(cause: unknown): unknown {
    if (cause instanceof RequestError && cause.code === 'redis_unavailable' && this.options.access?.refusal !== undefined) return this.#refused(this.options.access.refusal);
    // Every call fails with the second until the process ends, which it is about to do.
    if (cause instanceof RequestError || cause instanceof MismatchError) return cause;
    if (cause instanceof UnreadableTaskError) return new RequestError('task_unreadable', 'this version cannot read the task: a newer one has written it, or its data is broken', undefined, { cause });
    if (cause instanceof NotReplicatedError) {
      this.options.refusals?.refused(cause);
      return new RequestError('redis_unavailable', 'redis has too few replicas that have it, so a failover could lose it: send it again', undefined, { cause });
    }
    const errorClass = this.#classes.classify(cause);
    if (errorClass === 'bug') return cause;
    if (errorClass === 'refused') return this.#refused(cause);
    // It is there, and an operator has to act: that is no outage. What Redis answers now has a reason of its own.
    const refusal = redisErrorCode(cause) === undefined || isReadOnly(cause) ? this.options.access?.refusal : undefined;
    if (errorClass === 'unavailable' && refusal !== undefined) return this.#refused(isReadOnly(cause) ? cause : refusal);
    return new RequestError(codeOf[errorClass], messageOf[errorClass], undefined, { cause });
  }

  /** What a call is refused with at once, because the part of Redis that it needs is known to be away. */
  ofPartAway(): unknown {
    return this.asRequestError(new RequestError('redis_unavailable', messageOf.unavailable));
  }

  #refused(cause: unknown): RequestError {
    this.options.refusals?.refused(cause);
    return new RequestError(codeOf.refused, messageOf.refused, undefined, { cause });
  }
}
