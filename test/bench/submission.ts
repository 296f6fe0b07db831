import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { cpuTimeUs } from './process-cpu.js';
import { end, forkBench, message, spawnProduct } from './process.js';
import { mean } from './percentile.js';
import type { Comparison } from './report.js';
import { portFromLog } from './start-api.js';

const CONNECTIONS = 64;
/** A caller that sends one task after the other waits for each. */
const REQUESTS_IN_TURN = 1 / 8;

/** One run of the load. */
interface Run {
  readonly perSecond: number;
  readonly cpuUs: number;
}

/** POST /tasks per second over 64 connections and over one, beside Express + express.json + queue.add, and bare node:http; and with an access key beside without one. */
export async function benchSubmission(redisPort: number, rounds: number, requests: number): Promise<Comparison[]> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const bootstrapKey = `krs_bench_${randomBytes(32).toString('hex')}`;
  const product = spawnProduct('server', apiSettings(redisPort), 'pipe');
  const locked = spawnProduct('server', { ...apiSettings(redisPort), AUTH: 'on', BOOTSTRAP_API_KEY: bootstrapKey }, 'pipe');
  const sides = {
    service: { child: product, port: await portFromLog(product), values: [] as number[], cpuUs: [] as number[] },
    locked: { child: locked, port: await portFromLog(locked), values: [] as number[], cpuUs: [] as number[] },
    express: await baseline('baselines/express-add.ts', redisPort),
    bareHttp: await baseline('baselines/node-http-add.ts', redisPort),
  };
  const inTurn = { service: [] as number[], express: [] as number[] };
  let load = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const spent = { service: [] as Run[], locked: [] as Run[], express: [] as Run[], bareHttp: [] as Run[] };
    // What the key adds is less than two processes differ by from one run to the next. So these two run twice, and neither is always the first.
    for (const name of ['service', 'locked', 'express', 'bareHttp', 'locked', 'service'] as const) {
      const side = sides[name];
      await redis.flushdb();
      const apiKey = side === sides.locked ? await createKey(side.port, bootstrapKey) : undefined;
      const before = cpuTimeUs(side.child);
      const perSecond = await runLoad({ port: side.port, connections: CONNECTIONS, requests, round: (load += 1), apiKey });
      spent[name].push({ perSecond, cpuUs: (cpuTimeUs(side.child) - before) / requests });
    }
    // Round 0 warms up: three cold compilers would be measured otherwise.
    if (round > 0) {
      for (const [name, runs] of Object.entries(spent) as [keyof typeof sides, Run[]][]) {
        sides[name].values.push(mean(runs.map(({ perSecond }) => perSecond)));
        sides[name].cpuUs.push(mean(runs.map(({ cpuUs }) => cpuUs)));
      }
    }
    for (const name of ['service', 'express'] as const) {
      await redis.flushdb();
      const perSecond = await runLoad({ port: sides[name].port, connections: 1, requests: Math.ceil(requests * REQUESTS_IN_TURN), round: (load += 1) });
      if (round > 0) inTurn[name].push(perSecond);
    }
  }
  await Promise.all(Object.values(sides).map(({ child }) => end(child)));
  redis.disconnect();
  const service = { name: 'service', values: sides.service.values };
  return [
    { figure: 'POST /tasks, 64 connections', unit: '/s', product: service, baseline: { name: 'Express + express.json + queue.add', values: sides.express.values }, bar: 1.8 },
    { figure: 'POST /tasks, 64 connections', unit: '/s', product: service, baseline: { name: 'node:http + JSON.parse + queue.add', values: sides.bareHttp.values }, bar: 0.6 },
    { figure: 'POST /tasks, one connection', unit: '/s', product: { name: 'service', values: inTurn.service }, baseline: { name: 'Express + express.json + queue.add', values: inTurn.express } },
    { figure: 'POST /tasks with an access key', unit: '/s', product: { name: 'AUTH=on', values: sides.locked.values }, baseline: { name: 'AUTH=off', values: sides.service.values }, bar: 0.95 },
    { figure: 'CPU of the API for a POST /tasks with an access key', unit: 'us', product: { name: 'AUTH=on', values: sides.locked.cpuUs }, baseline: { name: 'AUTH=off', values: sides.service.cpuUs }, highestRatio: 1.05 },
  ];
}

function apiSettings(redisPort: number): Readonly<Record<string, string>> {
  return { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' };
}

/** A key that is stored, as those of clients are: Redis was emptied before. */
async function createKey(port: number, bootstrapKey: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/keys`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${bootstrapKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bench', role: 'submit' }),
  });
  if (answer.status !== 201) throw new Error(`POST /keys was answered with ${answer.status}`);
  // The API's own answer.
  const { key } = (await answer.json()) as { key: string };
  return key;
}

/** A server of this folder that says where it listens. */
export async function baseline(file: string, redisPort: number): Promise<{ child: ReturnType<typeof forkBench>; port: number; values: number[]; cpuUs: number[] }> {
  const child = forkBench(file, [redisPort, 'bench']);
  return { child, port: await message<number>(child, 'port'), values: [], cpuUs: [] };
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  /** Part of the ids: no two loads of one run may have the same. */
  readonly round: number;
  /** Tasks per request, to POST /tasks/batch; without it POST /tasks. */
  readonly batch?: number;
  /** Sent with each request. */
  readonly apiKey?: string | undefined;
  /** Default: about 200. */
  readonly messageBytes?: number | undefined;
}

/** @returns requests per second */
export async function runLoad({ port, connections, requests, round, batch = 0, apiKey, messageBytes }: Load): Promise<number> {
  const file = fileURLToPath(new URL('load-client.ts', import.meta.url));
  const client = spawn(process.execPath, ['--import=tsx', file, ...[port, connections, requests, round, batch].map(String)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...(apiKey === undefined ? {} : { BENCH_API_KEY: apiKey }), ...(messageBytes === undefined ? {} : { BENCH_MESSAGE_BYTES: String(messageBytes) }) } });
  let text = '';
  client.stdout.on('data', (chunk) => (text += String(chunk)));
  const [code] = (await once(client, 'close')) as [number];
  if (code !== 0) throw new Error(`the load client ended with ${code}`);
  // The client's own line.
  const { perSecond, failures } = JSON.parse(text) as { perSecond: number; failures: number };
  if (failures > 0) throw new Error(`${failures} of ${requests} were not answered as new`);
  return perSecond;
}
