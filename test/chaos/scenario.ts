import { readFileSync, writeFileSync } from 'node:fs';

import { Redis } from 'ioredis';

import { eventually } from '../support/eventually.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { shardKeys, type ShardKeys } from '../support/shard-keys.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { PrivateRedis, testRedisAddress, type RedisAddress } from '../support/redis.js';
import { Service, type ServiceOptions, type ServiceProcess } from '../support/service.js';
import { Crew } from './crew.js';
import { Ledger, type Reckoning } from './ledger.js';
import { profile } from './profile.js';
import { printReport, printRow, printTable, withRows, type Row } from './report.js';

/**
 * Short times, so that what takes minutes in production takes seconds here. No circuit: hundreds of tasks fail at one
 * receiver on purpose, and would wait for it instead.
 */
export const QUICK = { LOCK_DURATION: '1s', STALL_CHECK_INTERVAL: '300ms', STALL_BASE_DELAY: '50ms', STALL_MAX_DELAY: '300ms', SHUTDOWN_TIMEOUT: '3s', FLOW_CIRCUIT: 'off' };

/** For scenarios in which no worker is killed: a lock that lapsed because the machine was busy would make a duplicate. */
export const NONE_IS_KILLED = { LOCK_DURATION: '15s' };

/** What a scenario breaks, and who watches it. */
export interface Stage {
  readonly service: Service;
  readonly crew: Crew;
  readonly receiver: Receiver;
  readonly ledger: Ledger;
  /** Another client of the same Redis; waits while Redis is away. */
  readonly redis: Redis;
  readonly keys: ShardKeys;
  /** The worker that holds the task. */
  readonly holderOf: (taskId: string) => Promise<ServiceProcess>;
  /** SIGKILL to the worker that holds the task. */
  readonly killHolder: (taskId: string) => Promise<void>;
}

export interface StageOptions extends Omit<ServiceOptions, 'redis'> {
  /** Default: the one all tests share. */
  readonly redis?: PrivateRedis;
  /** Where the service sees its Redis, if it is not where it is. */
  readonly redisSeenAt?: RedisAddress;
}

/** Everything a scenario opened, closed in the right order, whatever happened. */
export class Scene {
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #services: Service[] = [];

  /** An API, supervised workers, a receiver and a ledger. */
  async stage({ workers = 1, settings = {}, redis: own, redisSeenAt, ...rest }: StageOptions = {}): Promise<Stage> {
    const receiver = await createReceiver();
    this.onClose(() => receiver.close());
    const address = own?.address ?? testRedisAddress();
    const redis = this.client(address);
    const { service, crew } = await this.staff({ ...rest, workers, redis: redisSeenAt ?? address, settings });
    const keys = shardKeys(service.prefix);
    // Again and again: a new worker takes tasks before its crew has read that it is up.
    const holderOf = (taskId: string): Promise<ServiceProcess> => eventually(async () => {
      // BullMQ writes who took the job; the worker's name ends with its pid.
      const name = await redis.hget(keys.job(taskId), jobField.worker);
      const holder = crew.members.find(({ pid }) => name?.endsWith(`-${pid}`) === true);
      if (holder === undefined) throw new Error(`no worker of the crew holds ${taskId}, but ${String(name)}`);
      return holder;
    });
    return {
      service,
      crew,
      receiver,
      ledger: new Ledger(receiver, service),
      redis,
      keys,
      holderOf,
      killHolder: async (taskId) => (await holderOf(taskId)).kill(),
    };
  }

  /** An API and supervised workers. */
  async staff({ workers = 1, settings = {}, ...rest }: ServiceOptions): Promise<Pick<Stage, 'service' | 'crew'>> {
    const service = await Service.start({ ...rest, workers: 0, settings: { ...QUICK, ...settings } });
    this.#services.push(service);
    this.onClose(() => service.close());
    const crew = new Crew(service);
    this.onClose(() => crew.stop());
    await Promise.all(Array.from({ length: workers }, () => crew.hire()));
    return { service, crew };
  }

  async ownRedis(...settings: readonly string[]): Promise<PrivateRedis> {
    const redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', ...settings]);
    this.onClose(() => redis.close());
    return redis;
  }

  client({ host, port }: RedisAddress): Redis {
    const redis = new Redis({ host, port, maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on('error', () => undefined); // it is killed on purpose
    this.onClose(async () => { redis.disconnect(); });
    return redis;
  }

  /** Runs when the scenario is over; what was opened last is closed first. */
  onClose(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  get output(): string {
    return this.#services.map(({ output }) => output).join('');
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join('\n'));
  }
}

const rows: Row[] = [];

/** Puts a row into the table that is printed at the end of a long run. Shows it at once in a short one, whose files have no end in common. */
export function bookRow(row: Row): void {
  rows.push(row);
  if (profile.name === 'short') console.log(printRow(row));
}

/** What a scenario hands in: the reckoning, and what else it measured, in words. */
export type Measured = Reckoning & { readonly note?: string };

export interface ScenarioOptions {
  /** Limit of the long form, ms. */
  readonly longMs?: number;
  /** It takes 10 s or more of mere waiting, and the short form has three minutes. */
  readonly isLongOnly?: boolean;
}

/**
 * One scenario as a Mocha test.
 * @param number of the list in docs/RELIABILITY.md
 */
export function scenario(number: string, title: string, run: (scene: Scene) => Promise<Measured>, { longMs = 180_000, isLongOnly = false }: ScenarioOptions = {}): void {
  if (isLongOnly && profile.name === 'short') return;
  it(title, async function () {
    // Ends what hangs; what has to be quick has a limit of its own.
    this.timeout(profile.name === 'long' ? longMs : 120_000);
    const scene = new Scene();
    const startedAt = performance.now();
    try {
      const measured = await run(scene);
      await scene.close();
      bookRow({ number, title, ...measured, tookMs: Math.round(performance.now() - startedAt) });
    } catch (error) {
      if (error instanceof Error) error.message += `\n--- the end of what the processes wrote ---\n${scene.output.slice(-3_000)}`;
      await scene.close().catch(() => undefined); // the first failure is the one to read
      bookRow({ number, title, failed: true });
      throw error;
    }
  });
}

after(() => {
  if (rows.length === 0 || profile.name === 'short') return;
  console.log(`\n${printTable(rows, profile)}\n`);
  // A report of an incomplete run would promise results that were not seen, and so would the earlier row of a scenario that fails now.
  if (rows.some((row) => 'failed' in row)) return;
  const file = process.env['CHAOS_REPORT_FILE'];
  if (file !== undefined) writeFileSync(file, printReport(rows, profile));
  const rowsFile = process.env['CHAOS_ROWS_FILE'];
  if (rowsFile !== undefined) writeFileSync(rowsFile, withRows(readFileSync(rowsFile, 'utf8'), rows));
});

