import { Redis } from 'ioredis';
import { end, forkBench, message, spawnProduct } from './process.js';
import type { Comparison } from './report.js';
import { portFromLog } from './start-api.js';
import { baseline, runLoad } from './submission.js';

const BATCH = 500;
const AT_ONCE = 4;

/**
 * Tasks stored per second by POST /tasks/batch with 500 tasks in a JSON array, four such requests at once, beside
 * node:http + JSON.parse + addBulk of 500, and beside addBulk alone.
 */
export async function benchBatch(redisPort: number, rounds: number, batches: number): Promise<Comparison[]> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const product = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe');
  const port = await portFromLog(product);
  const overHttp = await baseline('baselines/node-http-bulk.ts', redisPort);
  const bare = forkBench('baselines/bare-bulk.ts', [redisPort, 'bench']);
  await message(bare, 'ready');

  let round = 0;
  const measureHttp = async (at: number): Promise<number> => BATCH * (await runLoad({ port: at, connections: AT_ONCE, requests: batches, round: (round += 1), batch: BATCH }));
  const sides = [
    { values: [] as number[], measure: () => measureHttp(port) },
    { values: [] as number[], measure: () => measureHttp(overHttp.port) },
    {
      values: [] as number[],
      measure: async () => {
        bare.send({ round: (round += 1), tasks: BATCH * batches, batch: BATCH, atOnce: AT_ONCE });
        return (await message<number>(bare, 'perSecond'));
      },
    },
  ] as const;
  // Round 0 warms up: three cold compilers would be measured otherwise.
  for (let turn = 0; turn <= rounds; turn += 1) {
    for (const { values, measure } of sides) {
      await redis.flushdb();
      const perSecond = await measure();
      if (turn > 0) values.push(perSecond);
    }
  }
  await Promise.all([product, overHttp.child, bare].map(end));
  redis.disconnect();
  const [service, http, alone] = sides;
  const figure = `tasks by POST /tasks/batch of ${BATCH}, ${AT_ONCE} at once`;
  return [
    { figure, unit: '/s', product: { name: 'service', values: service.values }, baseline: { name: 'node:http + JSON.parse + addBulk', values: http.values }, bar: 0.85 },
    // To be seen, without a bar: there is no HTTP in it.
    { figure, unit: '/s', product: { name: 'service', values: service.values }, baseline: { name: 'addBulk alone', values: alone.values } },
  ];
}
