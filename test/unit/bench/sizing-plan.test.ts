import { expect } from 'chai';

import { sizingPlan, type Costs, type Load } from '../../bench/sizing-plan.js';

const costs: Costs = { apiUs: 140, workerUs: 140, redisUs: 100, taskBytes: 2_100 };
const load: Load = { perSecond: 100, latencyMs: 50, waiting: 1_000 };

describe('sizingPlan', () => {
  const table: readonly (readonly [what: string, load: Partial<Load>, plan: Partial<ReturnType<typeof sizingPlan>>])[] = [
    ['has two of each process, so that one may be replaced', {}, { apis: 2, workers: 2, shards: 1, inFlight: 5, maxmemory: 3_000_000 }],
    ['leaves each process three tenths of its core', { perSecond: 20_000 }, { apis: 4, workers: 4 }],
    ['leaves a Redis half of its core', { perSecond: 5_001 }, { shards: 2 }],
    ['has slots for all sends of slow receivers: 1,000 a worker, 2,000 a Redis', { perSecond: 1_000, latencyMs: 5_000 }, { inFlight: 5_000, workers: 5, shards: 3 }],
    ['has memory for what waits', { waiting: 10_000_000 }, { maxmemory: 30_000_000_000 }],
  ];
  for (const [what, changes, plan] of table) {
    it(what, () => {
      expect(sizingPlan(costs, { ...load, ...changes })).to.deep.include(plan);
    });
  }
});
