import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { end, forkBench, message, spawnProduct } from './process.js';
import type { Comparison } from './report.js';

const CONNECTIONS = 64;

/** POST /tasks per second over 64 connections, beside Express + express.json + queue.add, and bare node:http. */
export async function benchSubmission(redisPort: number, rounds: number, requests: number): Promise<Comparison[]> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const product = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe');
  const sides = {
    service: { child: product, port: await portFromLog(product), values: [] as number[] },
    express: await baseline('baselines/express-add.ts', redisPort),
    bareHttp: await baseline('baselines/node-http-add.ts', redisPort),
  };
  let load = 0;
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of Object.values(sides)) {
      await redis.flushdb();
      const perSecond = await runLoad({ port: side.port, connections: CONNECTIONS, requests, round: (load += 1) });
      // Round 0 warms up: three cold compilers would be measured otherwise.
      if (round > 0) side.values.push(perSecond);
    }
  }
  await Promise.all(Object.values(sides).map(({ child }) => end(child)));
  redis.disconnect();
  const service = { name: 'service', values: sides.service.values };
  return [
    { figure: 'POST /tasks, 64 connections', unit: '/s', product: service, baseline: { name: 'Express + express.json + queue.add', values: sides.express.values }, bar: 1 },
    { figure: 'POST /tasks, 64 connections', unit: '/s', product: service, baseline: { name: 'node:http + JSON.parse + queue.add', values: sides.bareHttp.values }, bar: 0.4 },
  ];
}

/** A server of this folder that says where it listens. */
export async function baseline(file: string, redisPort: number): Promise<{ child: ReturnType<typeof forkBench>; port: number; values: number[] }> {
  const child = forkBench(file, [redisPort, 'bench']);
  return { child, port: await message<number>(child, 'port'), values: [] };
}

/** Where a process of the product listens, and takes its log off its hands. */
export function portFromLog(child: ReturnType<typeof spawnProduct>): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    // It stays attached: a full pipe would stop the server in the middle of a round.
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
      const port = /url=http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', () => reject(new Error(`the API did not start: ${text}`)));
  });
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  /** Part of the ids: no two loads of one run may have the same. */
  readonly round: number;
  /** Tasks per request, to POST /tasks/batch; without it POST /tasks. */
  readonly batch?: number;
}

/** @returns requests per second */
export async function runLoad({ port, connections, requests, round, batch = 0 }: Load): Promise<number> {
  const file = fileURLToPath(new URL('load-client.ts', import.meta.url));
  const client = spawn(process.execPath, ['--import=tsx', file, ...[port, connections, requests, round, batch].map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  client.stdout.on('data', (chunk) => (text += String(chunk)));
  const [code] = (await once(client, 'close')) as [number];
  if (code !== 0) throw new Error(`the load client ended with ${code}`);
  // The client's own line.
  const { perSecond, failures } = JSON.parse(text) as { perSecond: number; failures: number };
  if (failures > 0) throw new Error(`${failures} of ${requests} were not answered as new`);
  return perSecond;
}
