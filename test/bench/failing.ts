import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import { fillBare, fillProduct } from './fill-queue.js';
import { FAILS_FIRST } from './receivers/fails-first.js';
import type { Comparison } from './report.js';
import { SMALL_BODY } from './small-body.js';
import { slotsForLoneEndpoint, startBareWorker, startWorker } from './start-workers.js';

/** As in delivery.ts. */
const IN_FLIGHT = 100;
const SLOTS = slotsForLoneEndpoint(IN_FLIGHT);
const EVERY = 10;
const BACKOFF_MS = 100;

/**
 * Every tenth task is answered 500 once and 200 at its first retry, 100 ms later: sends per second, retries included,
 * beside a bare BullMQ Worker + undici with BullMQ's own retries.
 */
export async function benchFailing(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, 20_000, 1_000);
  const again = tasks / EVERY;
  const failingBody = SMALL_BODY.replace('{', `{${FAILS_FIRST},`);
  const receiver = await Receiver.start({ fails: true });
  const filling = { tasks, destination: receiver.destination, body: (nth: number) => (nth % EVERY === 0 ? failingBody : SMALL_BODY), backoffMs: BACKOFF_MS };
  const product: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await redis.flushall();
    await fillProduct(redisPort, filling);
    product.push((await measureDelivered(bench, receiver, { tasks, again, start: () => [startWorker(redisPort, SLOTS)] })).perSecond);
    await redis.flushall();
    await fillBare(redisPort, filling);
    bare.push((await measureDelivered(bench, receiver, { tasks, again, start: () => [startBareWorker(redisPort, IN_FLIGHT)] })).perSecond);
  }
  await receiver.end();
  return [
    {
      figure: 'sends/s, every tenth task fails once',
      unit: '/s',
      product: { name: 'service', values: product },
      baseline: { name: 'bare BullMQ + undici', values: bare },
    },
  ];
}
