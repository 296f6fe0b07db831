import type { Redis } from 'ioredis';
import type { Comparison } from './report.js';
import type { Load } from './sizing-plan.js';

/** What a benchmark is given. The Redis is the run's own: it is emptied again and again. */
export interface Bench {
  readonly redisPort: number;
  readonly redis: Redis;
  readonly rounds: number;
  /** Small sizes, to see that all of it runs; the figures mean nothing. */
  readonly isQuick: boolean;
  /** Of a benchmark with scenarios only those whose names contain this. */
  readonly scenario?: string | undefined;
  /** How many tasks wait while they are searched. Default 1,000,000, which takes minutes to fill. */
  readonly searchedTasks?: number | undefined;
  /** Of the benchmark sizing, the load to plan for; without one, some examples. */
  readonly sizing?: Partial<Load & { readonly messageBytes: number }>;
}

/** One row of registry.ts. */
export interface Benchmark {
  /** As in `--only`. */
  readonly name: string;
  /** What is measured and beside what, for the table of contents and for docs/PERFORMANCE.md. */
  readonly measures: string;
  /** Unless --rounds says otherwise. Seven where a bar is near, fewer where a round takes minutes. */
  readonly rounds: number;
  readonly run: (bench: Bench) => Promise<Comparison[]>;
}

/** The size of something in a real run and in a quick one. */
export function size({ isQuick }: Pick<Bench, 'isQuick'>, full: number, quick: number): number {
  return isQuick ? quick : full;
}
