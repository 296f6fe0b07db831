import { expect } from 'chai';

import { FLEET_SLOTS, slotShare } from '../../../shared/domain/flow/slot-share.js';
import { sizingPlan, type Costs, type Load } from '../../bench/sizing-plan.js';

const costs: Costs = { apiUs: 140, workerUs: 140, redisUs: 100, taskBytes: 2_100 };
const load: Load = { perSecond: 100, latencyMs: 50, waiting: 1_000 };

describe('sizingPlan', () => {
  const table: readonly (readonly [what: string, load: Partial<Load>, plan: Partial<ReturnType<typeof sizingPlan>>])[] = [
    ['has two of each process, so that one may be replaced', {}, { apis: 2, workers: 2, shards: 1, inFlight: 5, concurrency: 'auto', maxmemory: 3_000_000 }],
    ['leaves each process three tenths of its core', { perSecond: 20_000 }, { apis: 4, workers: 4 }],
    ['leaves a Redis half of its core', { perSecond: 5_001 }, { shards: 2 }],
    ['gives each worker a number where slow receivers need more slots than auto shares out: 1,000 a worker, 2,000 a Redis', { perSecond: 1_000, latencyMs: 5_000 }, { inFlight: 5_000, workers: 5, concurrency: 1_000, shards: 3 }],
    ['has memory for what waits', { waiting: 10_000_000 }, { maxmemory: 30_000_000_000 }],
  ];
  for (const [what, changes, plan] of table) {
    it(what, () => {
      expect(sizingPlan(costs, { ...load, ...changes })).to.deep.include(plan);
    });
  }

  it('has a slot for every send, and no more of them on one Redis than finishing a task can bear', () => {
    for (const perSecond of [10, 399, 400, 401, 1_000, 5_000, 20_000]) {
      for (const latencyMs of [1, 50, 500, 5_000, 30_000]) {
        const { inFlight, workers, shards, concurrency } = sizingPlan(costs, { ...load, perSecond, latencyMs });
        expect(workers * slotShare(concurrency, workers), `${perSecond}/s, ${latencyMs} ms`).to.be.at.least(inFlight);
        if (concurrency !== 'auto') expect(workers * concurrency, `${perSecond}/s, ${latencyMs} ms`).to.be.at.most(shards * FLEET_SLOTS);
      }
    }
  });
});
