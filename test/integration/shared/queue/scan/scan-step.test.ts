import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { parseQuery } from '../../../../../shared/domain/search/filter.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { jobIdOf } from '../../../../../shared/queue/names.js';
import { scanIds, scanSet, type SearchRules } from '../../../../../shared/queue/scan/scan-step.js';
import { stepsThrough } from '../../../../../shared/queue/scan/scan-tasks.js';
import { compileFilter } from '../../../../../shared/queue/search/compile-filter.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { domainTask } from '../../../../support/tasks.js';

const MESSAGES = 60;
/** All of them together are three times what a step looks into. */
const PADDING = 'x'.repeat(200_000);
const ids = Array.from({ length: MESSAGES }, (_, nth) => `large-${String(nth).padStart(3, '0')}`);
const jobIds = ids.map(jobIdOf);

describe('A step of a search that looks into large messages', () => {
  let service: InProcessService;
  let shard: Shard;

  before(async () => {
    service = await InProcessService.ready();
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    await Promise.all(ids.map((id, nth) => service.queue.submit(domainTask({ id, messageData: JSON.stringify({ order: { id: nth % 2 }, padding: PADDING }) }))));
  });
  after(() => service.close());

  const rules = (q: string): SearchRules => ({ plan: compileFilter(parseQuery(q), { defaultBrokers: new Set(), mask: defaultPathMask }), order: 'oldest', since: undefined, by: undefined });

  for (const [what, q, matching] of [
    ['all match', 'data.order.id:*', MESSAGES],
    ['half of them match', 'data.order.id:1', MESSAGES / 2],
    ['none matches', 'data.order.id:7', 0],
  ] as const) {
    it(`ends before the last of named tasks, and the steps together look at each once, where ${what}`, async () => {
      const step = await scanIds(shard, undefined, rules(q), jobIds);
      expect(step.rest.length, 'left').to.be.within(1, MESSAGES - 1);
      expect(step.last).to.equal(jobIds[MESSAGES - step.rest.length - 1]);
      const found: string[] = [];
      let scanned = 0;
      for await (const { found: placed, tally } of stepsThrough(shard, undefined, rules(q), jobIds)) {
        found.push(...placed.map(({ task }) => task.id));
        scanned += tally.scanned;
      }
      expect(scanned).to.equal(MESSAGES);
      expect(found).to.deep.equal(ids.filter((_id, nth) => matching === MESSAGES || (matching > 0 && nth % 2 === 1)));
    });

    it(`ends before the last member of a set, and says where to go on, where ${what}`, async () => {
      let scanned = 0;
      let steps = 0;
      const found: string[] = [];
      for (let from: Awaited<ReturnType<typeof scanSet>>['next'], isAtEnd = false; !isAtEnd; steps += 1) {
        const step = await scanSet(shard, 'delayed', rules(q), from, MESSAGES);
        scanned += step.tally.scanned;
        found.push(...step.found.map(({ task }) => task.id));
        from = step.next;
        isAtEnd = from === undefined;
      }
      expect(scanned).to.equal(MESSAGES);
      expect(steps).to.be.greaterThan(2);
      expect(found.sort()).to.deep.equal(ids.filter((_id, nth) => matching === MESSAGES || (matching > 0 && nth % 2 === 1)));
    });
  }

  it('finds a long text in a large message, where its hints are cut', async () => {
    const value = `${'x'.repeat(100)}y`;
    const task = domainTask({ messageData: JSON.stringify({ padding: PADDING, value, other: 'z' }) });
    await service.queue.submit(task);
    const others = (text: string): string => Array.from({ length: 12 }, (_, nth) => `${'x'.repeat(100)}${text}${nth}`).join(',');
    for (const [q, isFound] of [[`data.value:${value}`, true], [`data.value:${value}z`, false], [`data.value:${others('y')},${value} data.other:z`, true], [`data.value:${others('z')}`, false], [`data.other:z data.value:${others('z')}`, false]] as const) {
      expect((await scanIds(shard, undefined, rules(q), [jobIdOf(task.id)])).found.map(({ task: { id } }) => id), q.slice(0, 40)).to.deep.equal(isFound ? [task.id] : []);
    }
    await service.queue.cancel(task.id);
  });

  it('looks at one task at least, and asks for nothing where none is named', async () => {
    expect((await scanIds(shard, undefined, rules('data.order.id:7'), jobIds.slice(0, 1))).rest).to.deep.equal([]);
    const none = await scanIds(shard, undefined, rules('data.order.id:7'), []);
    expect(none).to.include({ last: undefined }).and.to.have.nested.property('tally.scanned', 0);
  });
});
