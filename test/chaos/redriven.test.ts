import { expect } from 'chai';

import { expectRightSums, parkTasks, startBulkAction, type ShownBulkAction } from '../support/bulk-actions.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

const { redrivenTasks, bulkSeconds, bulkKills } = profile;

describe('chaos: tasks that are redriven', () => {
  scenario('18', `a redrive of ${redrivenTasks.toLocaleString('en')} tasks in 4 shards while workers, API and Redis (appendfsync always) are killed with kill -9 ${bulkKills} times`, async (scene) => {
    const own = await scene.ownRedis('--appendonly', 'yes', '--appendfsync', 'always');
    const { ledger, service, crew, receiver } = await scene.stage({ workers: 2, redis: own, settings: { QUEUE_SHARDS: '4' } });
    ledger.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    let { server } = service;
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), redrivenTasks);
    for (const id of ids) ledger.acknowledgedBefore(id);

    const kill = {
      worker: async () => {
        await eventually(() => { expect(crew.members.length).to.be.at.least(1); }, { withinMs: 30_000 });
        await crew.members[0]?.kill();
      },
      api: async () => {
        await server.kill();
        server = await service.startServer();
      },
      redis: async () => {
        await own.kill();
        await own.restart();
      },
    };
    const inTurn = [kill.worker, kill.api, kill.worker, kill.redis] as const;
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' }, rate: redrivenTasks / bulkSeconds });
    // At once: its tasks are still being looked for.
    await kill.worker();

    /** The numbers of now, when an API answers. Their sums are right at each look. */
    const look = async (): Promise<ShownBulkAction | undefined> => {
      const answer = await call(service.baseUrl, `/bulk-actions/${id}`).catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      // What a test reads of it, it also compares.
      const shown = answer.body as unknown as ShownBulkAction;
      expectRightSums(shown);
      return shown;
    };
    const matched = new Set<number>();
    for (let nth = 1; nth < bulkKills; nth += 1) {
      // At another point of the action each time, and at another point of a step.
      const share = (redrivenTasks * (nth - 1)) / bulkKills;
      await eventually(async () => {
        const shown = await look();
        expect(shown?.started ?? -1).to.be.at.least(share);
        if (typeof shown?.matched === 'number') matched.add(shown.matched);
      }, { withinMs: 60_000, everyMs: 20 });
      await inTurn[(nth - 1) % inTurn.length]?.();
    }
    ledger.faultIsOver();
    const shown = await eventually(async () => {
      const now = await look();
      expect(now?.settled_at, JSON.stringify(now)).to.be.a('string');
      return now;
    }, { withinMs: 60_000 + bulkSeconds * 1_000, everyMs: 50 });
    const measured = await ledger.settle({ withinMs: 60_000 });
    expect(shown).to.deep.include({ state: 'done', matched: ids.length, pending: 0, started: ids.length, delivered: ids.length, failed_again: 0, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0 } });
    expect([...matched].filter((number) => number !== ids.length), 'matched never changes').to.deep.equal([]);
    for (const task of ids) {
      const runs = new Set(receiver.requestsFor(task).map(({ headers }) => headers['x-retry-run']));
      expect([...runs], `${task}: each has one run more, and none has two`).to.deep.equal(['1', '2']);
    }
    expect(measured).to.include({ acked: ids.length, delivered: ids.length, lost: 0 });
    return { ...measured, note: `each had one run more; ${crew.restarts} workers were started again` };
  }, { longMs: 300_000 });
});
