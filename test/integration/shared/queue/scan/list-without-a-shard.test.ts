import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { parseQuery } from '../../../../../shared/domain/search/filter.js';
import { jobIdOf, shardOf } from '../../../../../shared/queue/names.js';
import { listTasks } from '../../../../../shared/queue/scan/list-tasks.js';
import { MissingShards } from '../../../../../shared/queue/scan/missing-shards.js';
import { compileFilter } from '../../../../../shared/queue/search/compile-filter.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { domainTask } from '../../../../support/tasks.js';

describe('A list of tasks without one of the shards', () => {
  it('names a task of another shard once, also when it moves meanwhile', async () => {
    const service = await InProcessService.ready({ shards: 2 });
    try {
      const shards = await service.queue.shards();
      const id = ['a', 'b', 'c', 'd', 'e'].find((each) => shardOf(each, 2) === 0) ?? '';
      await service.queue.submit(domainTask({ id, clientId: 'listed', retryPolicy: { ...domainTask().retryPolicy, initialDelayMs: 3_600_000 } }));
      let isMoved = false;
      const { tasks, isComplete, shardsAway } = await listTasks(shards, { plan: compileFilter(parseQuery('client_id:listed'), { defaultBrokers: new Set(), mask: defaultPathMask }), order: 'oldest' }, {
        limit: 10,
        from: undefined,
        hasTime: () => true,
        takeTurn: async (step) => {
          const result = await step();
          if ('found' in result && Array.isArray(result.found) && result.found.length > 0 && !isMoved) {
            isMoved = true;
            await service.queue.cancel(id);
          }
          return result;
        },
        askInOneTurn: (asked, ask) => Promise.allSettled(asked.map(ask)),
        shardOf: (taskId) => shards[shardOf(taskId, 2)] ?? expect.fail('no shard'),
        jobIdOf,
        missing: new MissingShards(['deliver-1'], () => false),
      });
      expect(isMoved).to.equal(true);
      expect([tasks.length, isComplete, shardsAway]).to.deep.equal([1, false, ['deliver-1']]);
    } finally {
      await service.close();
    }
  });
});
