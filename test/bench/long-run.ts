import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { size, type Bench } from './benchmark.js';
import { Receiver } from './delivered.js';
import { end, message, whileRunning } from './process.js';
import type { Comparison } from './report.js';
import { feedApi, startApi } from './start-api.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const EARLY_SHARE = 0.1;
const MIB = 1_048_576;
/** More would be a leak: both are full of compiled code and caches by then. */
const HIGHEST_GROWTH = 1.25;
const REPORT_MEMORY = { nodeArgs: [`--import=${fileURLToPath(new URL('preload/report-memory.mjs', import.meta.url))}`], hasIpc: true } as const;

/**
 * Memory of one worker and of the API when 1,000,000 tasks have been posted and delivered, beside what they held after a
 * tenth of them. The heap is what is left after a garbage collection.
 */
export async function benchLongRun(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, 1_000_000, 3_000);
  const early: Readings[] = [];
  const late: Readings[] = [];
  const receiver = await Receiver.start();
  for (let round = 0; round < rounds; round += 1) {
    await redis.flushall();
    const { done, reachedFrom } = await receiver.expect(tasks, { from: tasks * EARLY_SHARE });
    const api = await startApi(redisPort, REPORT_MEMORY);
    const worker = startWorker(redisPort, DEFAULT_SLOTS, REPORT_MEMORY);
    const feeding = feedApi({ port: api.port, tasks, url: receiver.destination(0).url, initialDelay: 0 });
    const read = async (): Promise<Readings> => ({ worker: await readMemory(worker), api: await readMemory(api.child) });
    // If an API fails, no tasks are posted, and this would wait for ever.
    await whileRunning([worker, api.child], Promise.race([reachedFrom, feeding.then(() => reachedFrom)]));
    early.push(await read());
    await whileRunning([worker, api.child], Promise.all([done, feeding]));
    late.push(await read());
    await end(worker);
    await end(api.child);
  }
  await receiver.end();
  const counted = (share: number): string => (tasks * share).toLocaleString('en-US');
  const compare = (who: keyof Readings, what: keyof Memory): Comparison => ({
    figure: `${what === 'rss' ? 'RSS' : 'heap'} of the ${who === 'api' ? 'API' : 'worker'} after ${counted(1)} tasks`,
    unit: 'MiB',
    product: { name: 'service', values: late.map((readings) => readings[who][what] / MIB) },
    baseline: { name: `after ${counted(EARLY_SHARE)}`, values: early.map((readings) => readings[who][what] / MIB) },
    highestRatio: HIGHEST_GROWTH,
  });
  return [compare('worker', 'rss'), compare('worker', 'heapUsed'), compare('api', 'rss'), compare('api', 'heapUsed')];
}

/** Bytes. */
interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

interface Readings {
  readonly worker: Memory;
  readonly api: Memory;
}

function readMemory(child: ChildProcess): Promise<Memory> {
  const memory = message<Memory>(child, 'memory');
  child.send('memory');
  return memory;
}
