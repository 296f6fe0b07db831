import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { parseQuery } from '../../../../../shared/domain/search/filter.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { jobIdOf } from '../../../../../shared/queue/names.js';
import { countTasks, type CountPlace } from '../../../../../shared/queue/scan/count-tasks.js';
import { MissingShards } from '../../../../../shared/queue/scan/missing-shards.js';
import { previewTasks } from '../../../../../shared/queue/scan/preview-tasks.js';
import { compileFilter } from '../../../../../shared/queue/search/compile-filter.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { domainTask } from '../../../../support/tasks.js';

const HOUR_MS = 3_600_000;
/** More than a step looks at, so that the work of one request ends before the end. */
const TASKS = 1_500;

interface Part {
  readonly matched: number;
  readonly isComplete: boolean;
  readonly next: CountPlace | undefined;
}

describe('A count of tasks that move between its parts', function () {
  this.timeout(60_000);
  let service: InProcessService;
  let shards: readonly Shard[];
  let sets = 0;
  let client: string;

  before(async () => {
    service = await InProcessService.ready();
    shards = await service.queue.shards();
  });
  after(() => service.close());
  beforeEach(async () => {
    sets += 1;
    client = `client-${sets}`;
    const ids = Array.from({ length: TASKS }, (_, nth) => nth);
    await Promise.all(ids.map((nth) => service.queue.submit(domainTask({ id: `${client}-${nth}`, clientId: client, retryPolicy: { ...domainTask().retryPolicy, initialDelayMs: HOUR_MS + nth * 1_000 } }))));
  });

  const plan = (q: string) => compileFilter(parseQuery(q), { defaultBrokers: new Set(), mask: defaultPathMask });
  const options = (from: CountPlace | undefined, hasTime: boolean) => {
    const [shard] = shards;
    if (shard === undefined) throw new Error('no shard');
    return { from, hasTime: () => hasTime, takeTurn: <T>(step: () => Promise<T>) => step(), shardOf: () => shard, missing: new MissingShards([], () => false) };
  };
  const ways: Readonly<Record<string, (q: string, from: CountPlace | undefined, hasTime: boolean) => Promise<Part>>> = {
    count: (q, from, hasTime) => countTasks(shards, plan(q), { ...options(from, hasTime), by: 'count' }),
    'dry run': (q, from, hasTime) => previewTasks(shards, plan(q), options(from, hasTime)),
  };

  for (const [name, count] of Object.entries(ways)) {
    const inParts = async (q: string, meanwhile: () => Promise<unknown>): Promise<{ readonly matched: number; readonly isComplete: boolean }> => {
      let part = await count(q, undefined, false);
      let matched = part.matched;
      // Step by step to the middle of the tasks that wait.
      while (part.next !== undefined && (part.next.from?.place !== 'delayed' || part.next.from.position === undefined)) {
        part = await count(q, part.next, false);
        matched += part.matched;
      }
      expect(part.next, 'it has not ended').to.not.equal(undefined);
      await meanwhile();
      while (part.next !== undefined) {
        part = await count(q, part.next, true);
        matched += part.matched;
      }
      return { matched, isComplete: part.isComplete };
    };

    it(`is exact where nothing moves, and not where a task was passed over (${name})`, async () => {
      const q = `client_id:${client} state:waiting`;
      expect(await inParts(q, () => Promise.resolve())).to.deep.equal({ matched: TASKS, isComplete: true });
      const late = `${client}-${TASKS - 1}`;
      const sentNow = await inParts(q, () => service.queue.retryNow(late));
      expect(sentNow.matched === TASKS || !sentNow.isComplete, JSON.stringify(sentNow)).to.equal(true);
      const other = await inParts(`client_id:${client} -id:${late}`, () => service.queue.cancel(late));
      expect(other, 'what moves does not match').to.deep.equal({ matched: TASKS - 1, isComplete: true });
    });

    it(`is not exact at its end where an earlier part could not read a task (${name})`, async () => {
      const [shard] = shards;
      if (shard === undefined) throw new Error('no shard');
      await service.redis.del(shard.keys.job(`${client}-0`));
      expect(await inParts(`client_id:${client} state:waiting`, () => Promise.resolve())).to.deep.equal({ matched: TASKS - 1, isComplete: false });
      await service.redis.zrem(shard.keys.delayed, jobIdOf(`${client}-0`));
    });
  }
});
