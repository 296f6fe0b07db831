import type { ChildProcess } from 'node:child_process';
import { end, forkBench, message, spawnProduct, type ProductSpawn } from './process.js';

/** @returns the process and its port, once it listens */
export async function startApi(redisPort: number, options: ProductSpawn = {}): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe', options);
  const port = await new Promise<number>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      // The output is read to its end: a full pipe would stop the API.
      if (text.length < 10_000) text += String(chunk);
      const found = /url=http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('exit', () => reject(new Error(`the API did not start: ${text}`)));
  });
  return { child, port };
}

export interface Feeding {
  readonly port: number;
  readonly tasks: number;
  readonly url: string;
  /** Seconds until they are due. */
  readonly initialDelay: number;
}

/** What takes longer hangs, on whatever machine. */
const START_LIMIT_MS = 60_000;
const SLOWEST_PER_SECOND = 500;

/** Posts tasks over 64 connections, as fast as the API takes them. Rejects when one was not answered with 201. */
export async function feedApi({ port, tasks, url, initialDelay }: Feeding): Promise<void> {
  const feeder = forkBench('task-feeder.ts', [port, 64, tasks, url, initialDelay]);
  await message(feeder, 'fed', START_LIMIT_MS + (tasks / SLOWEST_PER_SECOND) * 1_000);
  await end(feeder);
}
