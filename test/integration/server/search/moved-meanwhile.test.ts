import { expect } from 'chai';

import { parkTasks } from '../../../support/bulk-actions.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, taskPage, type TaskPage } from '../../../support/task-pages.js';
import { call, cancel, httpTask, retryNow, type WireTask } from '../../../support/tasks.js';

const HOUR_S = 3_600;
const TASKS = 12;

let service: InProcessService;
let tests = 0;

/** Twelve tasks of one client that wait for hours, the last one longest, and one of another client. @returns their ids */
async function submitLater(client: string, changes: Partial<WireTask> = {}): Promise<readonly string[]> {
  const ids = Array.from({ length: TASKS }, (_, nth) => `${client}-${String(nth).padStart(2, '0')}`);
  await submitBatch(service.baseUrl, ids.map((id, nth) => httpTask('http://127.0.0.1:9/hook', { id, client_id: client, initial_delay: HOUR_S * (nth + 1), ...changes })));
  await submitBatch(service.baseUrl, [httpTask('http://127.0.0.1:9/hook', { id: `${client}-other`, client_id: 'other', initial_delay: HOUR_S })]);
  return ids;
}

/** Reads a list to its end, and does something behind its first page. */
async function walk(query: Readonly<Record<string, string>>, meanwhile: () => Promise<unknown>): Promise<{ readonly ids: readonly string[]; readonly last: TaskPage; readonly isComplete: boolean }> {
  const first = await taskPage(service.baseUrl, { ...query, limit: '3' });
  await meanwhile();
  const pages = [first];
  for (let page = first; page.next_cursor !== null; pages.push(page)) page = await taskPage(service.baseUrl, { ...query, limit: '3', cursor: page.next_cursor });
  return { ids: pages.flatMap(({ tasks }) => tasks.map(({ id }) => id)), last: pages.at(-1) ?? first, isComplete: pages.every(({ is_complete: isComplete }) => isComplete) };
}

const patched = (id: string): Promise<unknown> => call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ max_retries: 7 }) });

for (const shards of [1, 4]) {
  describe(`A list of tasks that move while it is read, over ${shards === 1 ? 'one shard' : `${shards} shards`},`, function () {
    this.timeout(60_000);
    let client: string;
    before(async () => {
      service = await InProcessService.ready({ shards });
    });
    after(() => service.close());
    beforeEach(() => {
      tests += 1;
      client = `client-${tests}`;
    });

    for (const [what, move] of [
      ['is changed', patched],
      ['is made due', (id: string) => retryNow(service.baseUrl, id)],
      ['is cancelled', (id: string) => cancel(service.baseUrl, id)],
    ] as const) {
      for (const order of ['newest', 'oldest'] as const) {
        it(`says that it is not complete when a task ${what} that comes later, from the ${order} one on`, async () => {
          const ids = await submitLater(client);
          const moved = order === 'newest' ? ids[1] : ids[10];
          const { ids: seen, isComplete, last } = await walk({ client_id: client, order }, () => move(moved ?? ''));
          expect([...seen].sort(), 'the others all come').to.include.members(ids.filter((id) => id !== moved));
          expect(seen.includes(moved ?? '') || !isComplete, `${String(moved)} is missing in a list that says it is complete`).to.equal(true);
          expect(last.is_complete, 'the last page speaks for all').to.equal(isComplete);
        });
      }
    }

    it('says that it is complete where nothing moves, where others move that do not match, and where tasks are new', async () => {
      const ids = await submitLater(client);
      const idle = await walk({ client_id: client }, () => Promise.resolve());
      expect([[...idle.ids].sort(), idle.isComplete]).to.deep.equal([ids, true]);
      const busy = await walk({ client_id: client }, async () => {
        await retryNow(service.baseUrl, `${client}-other`);
        await submitBatch(service.baseUrl, [0, HOUR_S].map((delay) => httpTask('http://127.0.0.1:9/hook', { id: `${client}-new-${delay}`, client_id: 'new', initial_delay: delay })));
        await cancel(service.baseUrl, `${client}-other`);
      });
      expect([[...busy.ids].sort(), busy.isComplete]).to.deep.equal([ids, true]);
    });

    it('has all tasks that move before it comes to those that wait, and says that it is complete', async () => {
      const worker = await service.startWorker();
      const parked = await parkTasks(service.baseUrl, 'http://127.0.0.1:9/hook', 6, { client_id: client, max_retries: 0 });
      await worker.stop(0);
      const ids = await submitLater(client);
      const { ids: seen, isComplete } = await walk({ client_id: client }, async () => {
        await Promise.all(ids.map(patched));
        await taskPage(service.baseUrl, { client_id: 'other' });
      });
      expect([[...seen].sort(), isComplete]).to.deep.equal([[...parked, ...ids].sort(), true]);
    });

    it('says that it is not complete when a task is sent again that comes later', async () => {
      const ids = await submitLater(client);
      await Promise.all(ids.map((id) => cancel(service.baseUrl, id)));
      const { ids: seen, isComplete } = await walk({ client_id: client, order: 'oldest' }, () => submitBatch(service.baseUrl, [httpTask('http://127.0.0.1:9/hook', { id: ids[11] ?? '', client_id: client, initial_delay: HOUR_S })]));
      expect(seen.includes(ids[11] ?? '') || !isComplete).to.equal(true);
    });
  });
}
