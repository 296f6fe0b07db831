import { RequestError } from '../../domain/errors.js';
import type { PingedWrites } from './ping-writes.js';
import type { TaskQueueOptions } from './task-queue-options.js';
import { TaskQueue } from './task-queue.js';

/**
 * The tasks of two stores, while a service moves from one Redis to another: both are read, new tasks go to the new one, and the workers of
 * the old one drain it (SCALING.md).
 *
 * An id that the old store knows stays there, with all that is asked of it: there alone a repetition is known as one. A new run of it is
 * stored there, too, until the record of the last one has lapsed. What is about many tasks (lists, counts, bulk actions) is about those of
 * the new store.
 */
export class TwoStoresQueue extends TaskQueue {
  /** @param previous of the old store. It is closed with this one */
  constructor(options: TaskQueueOptions, private readonly previous: TaskQueue) {
    super(options);
  }

  /** While the old store does not answer nothing is accepted: it may know the id. */
  override async submit(...submitted: Parameters<TaskQueue['submit']>): ReturnType<TaskQueue['submit']> {
    return (await this.previous.has(submitted[0].id)) ? this.previous.submit(...submitted) : super.submit(...submitted);
  }

  override async has(taskId: string): Promise<boolean> {
    return (await super.has(taskId)) || this.previous.has(taskId);
  }

  /** `find` goes by it as well. */
  override async findOf(...asked: Parameters<TaskQueue['findOf']>): ReturnType<TaskQueue['findOf']> {
    return (await super.findOf(...asked)) ?? this.previous.findOf(...asked);
  }

  override async cancel(...asked: Parameters<TaskQueue['cancel']>): ReturnType<TaskQueue['cancel']> {
    return elsewhere(await super.cancel(...asked), () => this.previous.cancel(...asked));
  }

  override async edit(...asked: Parameters<TaskQueue['edit']>): ReturnType<TaskQueue['edit']> {
    return elsewhere(await super.edit(...asked), () => this.previous.edit(...asked));
  }

  override async retryNow(...asked: Parameters<TaskQueue['retryNow']>): ReturnType<TaskQueue['retryNow']> {
    return elsewhere(await super.retryNow(...asked), () => this.previous.retryNow(...asked));
  }

  /** The old store has to be read alone: an id that it does not know goes to the new one. */
  override async pingWrite(): Promise<PingedWrites> {
    const [own, previous] = await Promise.all([super.pingWrite(), this.previous.ping().then(() => 'ok' as const, failureOf)]);
    return { ...own, previous };
  }

  override async close(): Promise<void> {
    await Promise.all([super.close(), this.previous.close()]);
  }
}

function failureOf(error: unknown): 'failed' | 'refused' {
  if (!(error instanceof RequestError)) throw error;
  return error.code === 'redis_refused' ? 'refused' : 'failed';
}

async function elsewhere<T extends { readonly kind: string }>(here: T, ask: () => Promise<T>): Promise<T> {
  return here.kind === 'not_found' ? ask() : here;
}
