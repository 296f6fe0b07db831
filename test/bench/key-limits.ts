import { randomBytes } from 'node:crypto';
import { size, type Bench } from './benchmark.js';
import { mean } from './percentile.js';
import { cpuTimeUs } from './process-cpu.js';
import { end, spawnProduct } from './process.js';
import { redisCpuUs } from './redis-readings.js';
import type { Comparison } from './report.js';
import { readyPort } from './start-api.js';
import { runLoad } from './submission.js';

const CONNECTIONS = 64;
/** CPU for a request. */
interface Run {
  readonly apiUs: number;
  readonly redisUs: number;
}

/** The client of load-client.ts. */
const CLIENT = 'bench';
/** None is met: what is measured is the counting. */
const PLENTY = 1_000_000;

const keys = {
  plain: { name: 'plain', role: 'submit' },
  limited: { name: 'limited', role: 'submit', client_ids: [CLIENT], rate_limit: PLENTY, quota: PLENTY },
} as const;

/**
 * What a rate limit and a quota add to POST /tasks: CPU of the API and of Redis for a request with a key that has both and is bound to its
 * client, in turns with a key that has none. The rate of requests of two runs differs by more than is to be seen.
 */
export async function benchKeyLimits(bench: Bench): Promise<Comparison[]> {
  const { redis, redisPort } = bench;
  const requests = size(bench, 15_000, 500);
  const bootstrapKey = `krs_bench_${randomBytes(32).toString('hex')}`;
  const api = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1', AUTH: 'on', BOOTSTRAP_API_KEY: bootstrapKey }, 'pipe');
  const port = await readyPort(api);
  const spent = { plain: { apiUs: [] as number[], redisUs: [] as number[] }, limited: { apiUs: [] as number[], redisUs: [] as number[] } };
  let load = 0;
  for (let round = 0; round <= bench.rounds; round += 1) {
    const runs = { plain: [] as Run[], limited: [] as Run[] };
    // The difference is small: neither is always the first.
    for (const name of ['plain', 'limited', 'limited', 'plain'] as const) {
      await redis.flushdb();
      const apiKey = await createKey(port, bootstrapKey, keys[name]);
      const before = [cpuTimeUs(api), await redisCpuUs(redis)] as const;
      await runLoad({ port, connections: CONNECTIONS, requests, round: (load += 1), apiKey });
      runs[name].push({ apiUs: (cpuTimeUs(api) - before[0]) / requests, redisUs: ((await redisCpuUs(redis)) - before[1]) / requests });
    }
    // Round 0 warms up.
    if (round === 0) continue;
    for (const name of Object.keys(keys) as (keyof typeof keys)[]) {
      spent[name].apiUs.push(mean(runs[name].map(({ apiUs }) => apiUs)));
      spent[name].redisUs.push(mean(runs[name].map(({ redisUs }) => redisUs)));
    }
  }
  await end(api);
  const { plain, limited } = spent;
  return [
    { figure: 'CPU of the API for a POST /tasks, with rate limit and quota', unit: 'us', product: { name: 'rate limit and quota', values: limited.apiUs }, baseline: { name: 'a key without', values: plain.apiUs }, highestRatio: 1.05 },
    { figure: 'CPU of Redis for a POST /tasks, with rate limit and quota', unit: 'us', product: { name: 'rate limit and quota', values: limited.redisUs }, baseline: { name: 'a key without', values: plain.redisUs } },
  ];
}

async function createKey(port: number, bootstrapKey: string, key: object): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/keys`, { method: 'POST', headers: { 'authorization': `Bearer ${bootstrapKey}`, 'content-type': 'application/json' }, body: JSON.stringify(key) });
  if (answer.status !== 201) throw new Error(`POST /keys was answered with ${answer.status}: ${await answer.text()}`);
  // The API's own answer.
  return ((await answer.json()) as { key: string }).key;
}
