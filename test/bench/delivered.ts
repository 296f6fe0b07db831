import type { ChildProcess } from 'node:child_process';
import type { HttpDestination } from '../../shared/domain/destinations/http.js';
import type { Bench } from './benchmark.js';
import { cpuTimeUs, peakMemoryMiB } from './process-cpu.js';
import { end, forkBench, message, whileRunning } from './process.js';
import type { Span } from './receivers/fast.js';
import { redisCpuUs } from './redis-readings.js';

/** A process has 20,000 files at most on some machines, and each origin costs two: its own, and a connection. */
const ORIGINS_PER_PROCESS = 4_000;

export interface ReceiverOptions {
  /** Ports that answer: each is a destination of its own. Default 1. */
  readonly origins?: number;
  /** How long an answer takes. Default 0. */
  readonly delayMs?: number;
  /** Tasks marked by receivers/fails-first.ts fail at their first attempt. */
  readonly fails?: boolean;
}

/** What takes longer hangs, on whatever machine. */
const START_LIMIT_MS = 60_000;
const SLOWEST_PER_SECOND = 500;

interface Part {
  readonly child: ChildProcess;
  readonly urls: readonly string[];
}

/** The fast receivers, in processes of their own. Task n goes to the n-th origin, round and round. */
export class Receiver {
  private constructor(private readonly parts: readonly Part[]) {}

  static async start({ origins = 1, delayMs = 0, fails = false }: ReceiverOptions = {}): Promise<Receiver> {
    const parts: Part[] = [];
    for (let left = origins; left > 0; left -= ORIGINS_PER_PROCESS) {
      const child = forkBench('receivers/fast.ts', [Math.min(left, ORIGINS_PER_PROCESS), delayMs, ...(fails ? ['fails'] : [])]);
      const ports = await message<number[]>(child, 'ports');
      parts.push({ child, urls: ports.map((port) => `http://127.0.0.1:${port}/hook`) });
    }
    return new Receiver(parts);
  }

  /** For a Filling. */
  get destination(): (nth: number) => HttpDestination {
    const destinations = this.parts.flatMap(({ urls }) => urls.map((url) => ({ type: 'http', url }) as const));
    const [first = { type: 'http', url: '' } as const] = destinations;
    return (nth) => destinations[nth % destinations.length] ?? first;
  }

  /**
   * Counts from here on.
   * @param from  the arrival at which time begins to count, 0 for the first
   * @param again sends that are repeated; only with one process of receivers
   * @param fails each send is answered with 500
   * @returns when all have come
   */
  async expect(tasks: number, { from = 0, again = 0, fails = false }: { from?: number; again?: number; fails?: boolean } = {}): Promise<{ readonly done: Promise<Span>; readonly reachedFrom: Promise<unknown> }> {
    const owners = this.parts.flatMap((part) => part.urls.map(() => part));
    const counts = new Map<Part, number>();
    owners.forEach((owner, index) => {
      const share = Math.floor(tasks / owners.length) + (index < tasks % owners.length ? 1 : 0);
      counts.set(owner, (counts.get(owner) ?? 0) + share);
    });
    const expecting = [...counts].filter(([, count]) => count > 0);
    for (const [{ child }, count] of expecting) {
      const ready = message(child, 'ready');
      child.send({ expect: count + again, from, fails });
      await ready;
    }
    const limitMs = START_LIMIT_MS + (tasks / SLOWEST_PER_SECOND) * 1_000;
    const reachedFrom = Promise.all(expecting.map(([{ child }]) => message(child, 'from', limitMs)));
    const done = Promise.all(expecting.map(([{ child }]) => message<Span>(child, 'done', limitMs))).then(joinSpans);
    // Starting the workers may fail first.
    reachedFrom.catch(() => undefined);
    done.catch(() => undefined);
    return { done, reachedFrom };
  }

  async end(): Promise<void> {
    await Promise.all(this.parts.map(({ child }) => end(child)));
  }
}

function joinSpans(spans: readonly Span[]): Span {
  return { firstMs: Math.min(...spans.map(({ firstMs }) => firstMs)), lastMs: Math.max(...spans.map(({ lastMs }) => lastMs)) };
}

export interface Delivered {
  /** Arrivals per second at the receiver. */
  readonly perSecond: number;
  /** Microseconds of Redis CPU per task, from the start of the workers to the last arrival. */
  readonly redisUsPerTask: number;
  /** The same of all workers together, from their start. */
  readonly workerUsPerTask: number;
  /** The most memory that all workers together have had, MiB. */
  readonly workerPeakMiB: number;
}

export interface DeliveredRun {
  readonly tasks: number;
  /** Arrivals before which time does not count: until all processes are up. Default 0. */
  readonly from?: number;
  readonly again?: number;
  readonly start: () => readonly ChildProcess[];
}

/** Tasks are in Redis and due before the workers start; they are ended when all have arrived. */
export async function measureDelivered({ redis }: Bench, receiver: Receiver, { tasks, from = 0, again = 0, start }: DeliveredRun): Promise<Delivered> {
  const { done } = await receiver.expect(tasks, { from, again });
  const cpuBefore = await redisCpuUs(redis);
  const workers = start();
  const { firstMs, lastMs } = await whileRunning(workers, done);
  const cpuUs = (await redisCpuUs(redis)) - cpuBefore;
  const workersUs = workers.reduce((sum, worker) => sum + cpuTimeUs(worker), 0);
  const workerPeakMiB = workers.reduce((sum, worker) => sum + peakMemoryMiB(worker), 0);
  await Promise.all(workers.map((worker) => end(worker)));
  return { perSecond: (tasks + again - from - 1) / ((lastMs - firstMs) / 1_000), redisUsPerTask: cpuUs / tasks, workerUsPerTask: workersUs / tasks, workerPeakMiB };
}
