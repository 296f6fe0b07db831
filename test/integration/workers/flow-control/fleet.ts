import type { Actor } from '../../../../shared/domain/actor.js';
import type { FlowPolicy } from '../../../../shared/domain/flow/flow-policy.js';
import type { Shard } from '../../../../shared/queue/engine/shard.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService, type WorkerOptions } from '../../../support/service-in-process.js';
import { httpTask, submitNew, type WireTask } from '../../../support/tasks.js';

const anybody: Actor = { type: 'anonymous', id: null, name: null, operator: null };

/** Several workers in this process, and two receivers: the one that flow control is about, and one that is well. */
export class Fleet {
  private constructor(
    readonly service: InProcessService,
    readonly receiver: Receiver,
    readonly healthy: Receiver,
  ) {}

  static async start(): Promise<Fleet> {
    const [service, receiver, healthy] = await Promise.all([InProcessService.ready(), createReceiver(), createReceiver()]);
    return new Fleet(service, receiver, healthy);
  }

  get origin(): string {
    return new URL(this.receiver.url('/')).origin;
  }

  /** The first one. */
  async shard(): Promise<Shard> {
    const [first] = await this.service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    return first;
  }

  async hire(workers: number, options: WorkerOptions = {}): Promise<void> {
    for (let nth = 0; nth < workers; nth += 1) await this.service.startWorker(options);
  }

  /** Sets the limits of a name, and whether it is paused. */
  async limit(name: string, { isPaused, ...limits }: FlowPolicy = {}): Promise<void> {
    const store = this.service.queue.fleet.flowStore();
    await store.setLimits(name, limits);
    if (isPaused === true) await store.pause(name, { until: undefined, by: anybody, reason: undefined });
    else await store.resume(name);
  }

  /** Due at once, to `/hook` of the receiver. */
  submit(count: number, changes: Partial<WireTask> = {}, receiver = this.receiver): Promise<WireTask[]> {
    return Promise.all(Array.from({ length: count }, async () => {
      const task = httpTask(receiver.url('/hook'), { dead_destination: { url: this.healthy.url('/dead') }, ...changes });
      await submitNew(this.service.baseUrl, task);
      return task;
    }));
  }

  async close(): Promise<void> {
    await this.service.close();
    await Promise.all([this.receiver.close(), this.healthy.close()]);
  }
}

/** Of times in milliseconds, the most that lie within any one second. */
export function mostInOneSecond(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [nth, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= 1_000) first += 1;
    most = Math.max(most, nth - first + 1);
  }
  return most;
}
