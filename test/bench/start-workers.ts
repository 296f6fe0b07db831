import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../shared/config/load.js';
import { defaultBulkheadRules, roomOfEndpoint } from '../../shared/domain/flow/bulkhead-rules.js';
import { slotShare, type SlotSetting } from '../../shared/domain/flow/slot-share.js';
import { forkBench, spawnProduct, type ProductSpawn } from './process.js';

/** A file, as a container's log driver would give it: to nowhere would flatter the attempt line. */
const LOG_FILE = join(tmpdir(), `kafka-retry-bench-${process.pid}.log`);

/** WORKER_CONCURRENCY of a worker for which it is not set. */
export const DEFAULT_CONCURRENCY = loadConfig({}).workerConcurrency;
/** The slots of such a worker while it is the only one. */
export const DEFAULT_SLOTS = slotShare(DEFAULT_CONCURRENCY, 1);

export interface ProductProcess extends ProductSpawn {
  /** Redis database. Default 0. */
  readonly db?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** @returns the WORKER_CONCURRENCY at which one endpoint alone has so many sends in flight. 100 in flight need 233 slots. */
export function slotsForLoneEndpoint(sends: number): number {
  const idle = { inFlight: 0, window: Infinity, unproven: 0, tries: 0, hasFailed: false };
  let slots = sends;
  while (roomOfEndpoint({ ...idle, held: 0, latencyMs: undefined, oldestMs: 0, isHanging: false, refused: 0 }, idle, 0, { ...defaultBulkheadRules, slots }) < sends) slots += 1;
  return slots;
}

/** @param slots WORKER_CONCURRENCY: one endpoint alone gets 3/7 of them, n hosts get n/(n + 1) */
export function startWorker(redisPort: number, slots: SlotSetting, { db = 0, env = {}, ...options }: ProductProcess = {}): ChildProcess {
  const settings = { REDIS_ADDR: `127.0.0.1:${redisPort}`, REDIS_DB: String(db), WORKER_CONCURRENCY: String(slots), ...env };
  // In dev a busy worker writes one line a second, instead of one for each attempt.
  return withLogFile((log) => spawnProduct('workers', { ENVIRONMENT: 'prod', DESTINATION_POLICY: 'any', ...settings }, log, options));
}

/** @param concurrency sends in flight: a bare worker keeps no slot free */
export function startBareWorker(redisPort: number, concurrency: number, db = 0, nodeArgs: readonly string[] = []): ChildProcess {
  return forkBench('baselines/bare-worker.ts', [redisPort, 'bench', concurrency, db], nodeArgs);
}

export function withLogFile(start: (log: number) => ChildProcess): ChildProcess {
  const log = openSync(LOG_FILE, 'w');
  try {
    return start(log);
  } finally {
    // The child has a descriptor of its own.
    closeSync(log);
  }
}

export async function removeLogFile(): Promise<void> {
  await rm(LOG_FILE, { force: true });
}
