import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { parseQuery } from '../../../../../shared/domain/search/filter.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { ShardHealth } from '../../../../../shared/queue/engine/shard-health.js';
import { TaskSearch } from '../../../../../shared/queue/scan/task-search.js';
import { compileFilter } from '../../../../../shared/queue/search/compile-filter.js';
import { classifyRedisError } from '../../../../../shared/redis/redis-error.js';
import { eventually } from '../../../../support/eventually.js';
import { InProcessService } from '../../../../support/service-in-process.js';

const SHARDS = 8;
/** Each of four shards alone has 0.6 s: one after the other they would take 2.4 s. The rest is for a busy machine. */
const ANSWERED_WITHIN_MS = 2_000;
/** Searches at once. Each silent step holds the others up for 0.15 s: one behind the other they would take 30 s. */
const MANY = 200;

describe('A search while half of the shards give no answer', () => {
  let service: InProcessService;
  let health: ShardHealth;
  let search: TaskSearch;
  let isSilent: boolean;

  before(async () => {
    service = await InProcessService.ready({ shards: SHARDS });
  });
  after(() => service.close());

  beforeEach(async () => {
    isSilent = false;
    const { queue } = service;
    health = new ShardHealth((error) => classifyRedisError(error) === 'unavailable');
    const silent = new Promise<never>(() => undefined);
    // As on a cluster: each shard has a server of its own, and those of the second half owe every answer.
    const shards = (await queue.shards()).map((shard, nth): Shard => {
      const owes = (): boolean => isSilent && nth >= SHARDS / 2;
      const client = new Proxy(shard.client, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name);
          return typeof value !== 'function' ? value : (...args: unknown[]): unknown => (owes() ? silent : Reflect.apply(value, target, args));
        },
      });
      return { ...shard, server: shard.queue.name, client };
    });
    health.watch(shards.map(({ queue: { name }, client, keys }) => ({ name, ask: () => client.get(keys.neverThere) })));
    search = new TaskSearch({
      health,
      errors: queue.errors,
      answeringShards: async () => {
        const names = shards.map(({ queue: { name } }) => name);
        const answering = await health.answering(names);
        return { shards, away: names.filter((name) => !answering.has(name)) };
      },
    });
  });
  afterEach(() => health.stop());

  const plan = compileFilter(parseQuery('client_id:nobody'), { defaultBrokers: new Set(), mask: defaultPathMask });
  const ways: Readonly<Record<string, () => Promise<{ readonly isComplete: boolean; readonly shardsAway: readonly string[] }>>> = {
    list: () => search.list(plan, { order: 'newest', limit: 100, from: undefined }),
    count: () => search.count(plan, 'state', undefined),
    preview: () => search.preview(plan, undefined),
  };
  for (const [name, ask] of Object.entries(ways)) {
    it(`has one time limit for all of them together: ${name}`, async () => {
      expect((await ask()).isComplete).to.equal(true);
      isSilent = true;
      const askedAt = performance.now();
      const { isComplete, shardsAway } = await ask();
      expect(performance.now() - askedAt).to.be.below(ANSWERED_WITHIN_MS);
      expect(isComplete).to.equal(false);
      expect(shardsAway).to.deep.equal(['deliver-4', 'deliver-5', 'deliver-6', 'deliver-7']);
    });
  }

  for (const [name, ask] of Object.entries(ways)) {
    it(`has the wait for its turns in that limit, while many search at once: ${name}`, async () => {
      isSilent = true;
      const took = await Promise.all(Array.from({ length: MANY }, async () => {
        const askedAt = performance.now();
        await ask();
        return performance.now() - askedAt;
      }));
      expect(Math.max(...took)).to.be.below(ANSWERED_WITHIN_MS);
    });
  }

  it('begins again where a search had no time to look at anything, and then is complete', async () => {
    isSilent = true;
    const pages = await Promise.all(Array.from({ length: MANY }, () => search.list(plan, { order: 'newest', limit: 100, from: undefined })));
    const begins = pages.filter(({ next }) => next === 'beginning');
    expect(begins.length, 'had no turn').to.be.above(0);
    for (const page of begins) expect(page).to.deep.include({ tasks: [], scanned: 0, isComplete: false });
    isSilent = false;
    await eventually(async () => { expect((await search.list(plan, { order: 'newest', limit: 100, from: undefined })).isComplete).to.equal(true); }, { withinMs: 10_000 });
  });
});
