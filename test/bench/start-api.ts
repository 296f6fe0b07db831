import type { ChildProcess } from 'node:child_process';
import { eventually } from '../support/eventually.js';
import { end, forkBench, message, spawnProduct, type ProductSpawn } from './process.js';

/** @returns the process and its port, once it answers for its tasks */
export async function startApi(redisPort: number, options: ProductSpawn = {}): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe', options);
  return { child, port: await readyPort(child) };
}

/** The port of an API that is ready. */
export async function readyPort(child: ChildProcess): Promise<number> {
  const port = await portFromLog(child);
  await eventually(async () => {
    const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
    if (status !== 200) throw new Error(`/readyz says ${status}`);
  }, { withinMs: 30_000 });
  return port;
}

/** Where a process of the product listens. It takes its log off its hands. */
export function portFromLog(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    // It stays attached: a full pipe would stop the API in the middle of a round.
    child.stdout?.on('data', (chunk) => {
      if (text.length < 10_000) text += String(chunk);
      const port = /url=http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', () => reject(new Error(`the API did not start: ${text}`)));
  });
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
