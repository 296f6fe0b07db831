import { expect } from 'chai';
import { Redis } from 'ioredis';

import { ShardHealth } from '../../../../../shared/queue/engine/shard-health.js';
import { classifyRedisError } from '../../../../../shared/redis/redis-error.js';
import { askShards } from '../../../../../shared/queue/tasks/ask-shards.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { testRedisAddress } from '../../../../support/redis.js';

describe('which parts of Redis answer', () => {
  let redis: Redis;
  let health: ShardHealth;

  beforeEach(() => {
    redis = new Redis(testRedisAddress());
    health = new ShardHealth((error) => classifyRedisError(error) === 'unavailable');
  });
  afterEach(() => {
    health.stop();
    redis.disconnect();
  });

  /** Redis answers after so long. */
  const answer = (afterSeconds: number): Promise<unknown> => redis.blpop(uniquePrefix(), afterSeconds);

  /** Watches a part whose answers take these times; the last one counts for all that follow. @returns its state after each of them */
  const states = (seconds: readonly number[]): Promise<boolean[]> => statesOf(seconds.map((each) => () => answer(each)), 20_000);

  async function statesOf(asks: readonly (() => Promise<unknown>)[], withinMs: number): Promise<boolean[]> {
    const seen: boolean[] = [];
    let asked = 0;
    health.watch([{
      name: 'part',
      ask: () => {
        // It is asked when the answer before it has counted.
        if (asked > 0) seen.push(health.mustRefuse('part'));
        return (asks[asked++] ?? asks.at(-1) ?? ((): Promise<unknown> => Promise.resolve()))();
      },
    }]);
    await eventually(() => { expect(seen).to.have.lengthOf.at.least(asks.length); }, { withinMs });
    return seen.slice(0, asks.length);
  }

  it('refuses none whose answers are slow, and steady', async () => {
    expect(await states([0.65, 0.65, 0.65])).to.deep.equal([false, false, false]);
  });

  it('refuses none that was late once', async () => {
    expect(await states([1.1, 0.01, 1.1, 0.01])).to.deep.equal([false, false, false, false]);
  });

  it('refuses one that is late twice in a row, until it answers', async () => {
    // Answers of one connection come in turn: the third is asked when the second is late.
    expect(await states([0.9, 0.9, 0.01])).to.deep.equal([false, true, false]);
  });

  it('refuses one that cannot be reached also when it takes a connection again and is late on it, until it answers', async () => {
    const gone = new Redis({ host: '127.0.0.1', port: 9, maxRetriesPerRequest: 0, enableOfflineQueue: false, lazyConnect: true });
    gone.on('error', () => undefined);
    const seen = await statesOf([() => gone.get('anything'), () => answer(0.9), () => answer(0.01)], 10_000);
    gone.disconnect();
    expect(seen).to.deep.equal([true, true, false]);
  });

  it('refuses one at once that cannot be reached', async () => {
    const gone = new Redis({ host: '127.0.0.1', port: 9, maxRetriesPerRequest: 0, enableOfflineQueue: false, lazyConnect: true });
    gone.on('error', () => undefined);
    health.watch([{ name: 'gone', ask: () => gone.get('anything') }]);
    await eventually(() => { expect(health.mustRefuse('gone')).to.equal(true); }, { withinMs: 10_000 });
    gone.disconnect();
  });

  it('names one that owes an answer, and lets nobody wait for it a second time', async () => {
    health.watch([{ name: 'slow', ask: () => answer(0.7) }, { name: 'quick', ask: () => Promise.resolve() }]);
    await eventually(() => { expect(health.late).to.deep.equal(['slow']); }, { withinMs: 10_000, everyMs: 5 });
    let isAnswered = false;
    const answered = Promise.all([health.answering(['slow', 'quick']), health.orNothing('slow', () => Promise.resolve(1))]).then((both) => {
      isAnswered = true;
      return both;
    });
    // It takes no timer.
    await new Promise(setImmediate);
    expect(isAnswered).to.equal(true);
    expect(await answered).to.deep.equal([new Set(['quick']), undefined]);
  });

  it('leaves the shards of one Redis the whole time of a request', async () => {
    const service = await InProcessService.ready();
    try {
      const shards = await service.queue.shards();
      const { shardsAway } = await askShards(shards, () => answer(0.76), { health: service.queue.health, isAway: () => true });
      expect(shardsAway).to.deep.equal([]);
    } finally {
      await service.close();
    }
  });
});
