import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Destination } from '../../shared/domain/destinations/destination.js';
import type { Task } from '../../shared/domain/task/task.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { domainTask } from '../support/tasks.js';
import { SMALL_BODY } from './small-body.js';

const SUBMITTED_AT_ONCE = 1_000;
const DUE_IN_MS = 1;

/** Tasks as both sides get them: the product by its own submission, the baseline by BullMQ's addBulk. */
export interface Filling {
  readonly tasks: number;
  readonly destination: (nth: number) => Destination;
  readonly body?: (nth: number) => string;
  /** Milliseconds since the epoch. Default: at once, but over BullMQ's delayed set like everything else. */
  readonly dueAt?: (nth: number) => number;
  /** Wait after a failure, doubling. Default 1 s; the baseline retries only where this is set. */
  readonly backoffMs?: number;
  /** Redis database. Default 0. */
  readonly db?: number;
  /** Ids are `<name>-<nth>`. Default `bench`. */
  readonly name?: string;
}

export async function fillProduct(redisPort: number, filling: Filling): Promise<void> {
  const queue = await openProductQueue(redisPort, filling.db);
  await inGroups(filling.tasks, (numbers) => Promise.all(numbers.map((nth) => queue.submit(taskOf(filling, nth)))));
  await queue.close();
}

export async function fillBare(redisPort: number, filling: Filling): Promise<void> {
  const queue = openBareQueue(redisPort, filling.db);
  await inGroups(filling.tasks, (numbers) => queue.addBulk(numbers.map((nth) => bareJobOf(filling, nth))));
  await queue.close();
}

export interface ProductQueue {
  submit(task: Task): Promise<unknown>;
  /** @param name as operators name it: an origin, an endpoint, a flow_key */
  pause(name: string): Promise<unknown>;
  resume(name: string): Promise<unknown>;
  close(): Promise<void>;
}

export async function openProductQueue(redisPort: number, db = 0): Promise<ProductQueue> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, db, maxRetriesPerRequest: null });
  const queue = new TaskQueue({ redis, prefix: 'bull', shards: 1, deadAttempts: 10, clock: Date.now });
  await queue.ready();
  return {
    submit: (task) => queue.submit(task),
    pause: (name) => queue.fleet.withFlow((store) => store.pause(name, { until: undefined, by: { type: 'anonymous', id: null, name: null, operator: null }, reason: undefined })),
    resume: (name) => queue.fleet.withFlow((store) => store.resume(name)),
    close: async () => {
      await queue.close();
      redis.disconnect();
    },
  };
}

export function openBareQueue(redisPort: number, db = 0): Queue {
  return new Queue('bare', { connection: { host: '127.0.0.1', port: redisPort, db }, prefix: 'bench' });
}

const template = domainTask();

export function taskOf({ destination, body, dueAt, backoffMs = 1_000, name = 'bench' }: Filling, nth: number): Task {
  const to = destination(nth);
  const initialDelayMs = dueAt === undefined ? DUE_IN_MS : Math.max(DUE_IN_MS, dueAt(nth) - Date.now());
  return {
    ...template,
    id: `${name}-${nth}`,
    destination: to,
    deadDestination: to,
    retryPolicy: { ...template.retryPolicy, maxRetries: 3, initialDelayMs, baseDelayMs: backoffMs },
    messageData: body?.(nth) ?? SMALL_BODY,
  };
}

export function bareJobOf({ destination, body, dueAt, backoffMs, name = 'bench' }: Filling, nth: number): Parameters<Queue['addBulk']>[0][number] {
  const to = destination(nth);
  return {
    name: 'task',
    data: { ...(to.type === 'http' ? { url: to.url } : { topic: to.topic }), body: body?.(nth) ?? SMALL_BODY },
    opts: {
      jobId: `${name}-${nth}`,
      delay: dueAt === undefined ? DUE_IN_MS : Math.max(DUE_IN_MS, dueAt(nth) - Date.now()),
      ...(backoffMs === undefined ? {} : { attempts: 4, backoff: { type: 'exponential', delay: backoffMs } }),
    },
  };
}

async function inGroups(tasks: number, add: (numbers: number[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < tasks; from += SUBMITTED_AT_ONCE) {
    await add(Array.from({ length: Math.min(SUBMITTED_AT_ONCE, tasks - from) }, (_, index) => from + index));
  }
}
