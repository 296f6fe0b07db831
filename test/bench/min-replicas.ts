import { PrivateRedis } from '../support/redis.js';
import { waitForReplica } from '../support/wait-for-replica.js';
import type { Bench } from './benchmark.js';
import { end, spawnProduct } from './process.js';
import type { Comparison } from './report.js';
import { readyPort } from './start-api.js';
import { runLoad } from './submission.js';

const CONNECTIONS = 64;
/** Lowest share of the rate that waiting for one replica may leave. */
const BAR = 0.7;

/** POST /tasks over 64 connections to a master with one replica: REDIS_MIN_REPLICAS=1 beside 0, in turns. */
export async function benchMinReplicas({ rounds }: Bench, requests: number): Promise<Comparison[]> {
  const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0'];
  const master = await PrivateRedis.start(settings);
  const replica = await PrivateRedis.start([...settings, '--replicaof', master.address.host, String(master.address.port)]);
  await waitForReplica(master);
  const values = { waiting: [] as number[], plain: [] as number[] };
  const sides = [['waiting', '1'], ['plain', '0']] as const;
  try {
    const apis = await Promise.all(sides.map(async ([side, minReplicas]) => {
      const child = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${master.address.port}`, QUEUE_PREFIX: side, REDIS_MIN_REPLICAS: minReplicas, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe');
      const port = await readyPort(child);
      return { side, child, port };
    }));
    let load = 0;
    // Round 0 warms up.
    for (let round = 0; round <= rounds; round += 1) {
      for (const { side, port } of apis) {
        const perSecond = await runLoad({ port, connections: CONNECTIONS, requests, round: (load += 1) });
        if (round > 0) values[side].push(perSecond);
      }
    }
    await Promise.all(apis.map(({ child }) => end(child)));
  } finally {
    await Promise.all([replica.close(), master.close()]);
  }
  return [{ figure: 'POST /tasks, 64 connections, one replica', unit: '/s', product: { name: 'REDIS_MIN_REPLICAS=1', values: values.waiting }, baseline: { name: 'REDIS_MIN_REPLICAS=0', values: values.plain }, bar: BAR }];
}
