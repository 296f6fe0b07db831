import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, walkedIds } from '../../../support/task-pages.js';
import { call, getTask, httpTask, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

/** Every second, third and so on of these tasks has a value, so each pair of conditions has tasks that match both, one and none. */
const TASKS = 48;
const HOUR_S = 3_600;

let service: InProcessService;

const count = async (query: Readonly<Record<string, string>>): Promise<unknown> => (await call(service.baseUrl, `/counts?${new URLSearchParams(query).toString()}`)).body['count'];
const dryRun = (filter: object): Promise<Answer> => call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action: 'send_now', filter, dry_run: true }) });

describe('A condition by every door', function () {
  this.timeout(60_000);
  beforeEach(async () => {
    service = await InProcessService.ready({ shards: 2 });
  });
  afterEach(() => service.close());

  it('finds the same tasks, alone and with another one, as a parameter, in q, half and half, and in the filter of a bulk action', async () => {
    const isNth = (nth: number, each: number): boolean => nth % each === 0;
    await submitBatch(service.baseUrl, Array.from({ length: TASKS }, (_, nth): WireTask => httpTask(`http://127.0.0.1:9/${isNth(nth, 3) ? 'orders' : 'hook'}`, {
      id: `${isNth(nth, 2) ? 'even' : 'odd'}-${nth}`,
      client_id: isNth(nth, 3) ? 'a,b' : 'a',
      source: isNth(nth, 5) ? 'shop "x"' : 'web',
      ...(isNth(nth, 7) ? { flow_key: 'tenant-7' } : {}),
      initial_delay: isNth(nth, 4) ? HOUR_S : 3 * HOUR_S,
      message_data: JSON.stringify({ order: { id: isNth(nth, 6) ? 1001 : nth } }),
    })));
    const conditions = { id: 'even*', client_id: '"a,b"', source: '"shop \\"x\\""', flow_key: 'tenant-7', destination_key: 'http://127.0.0.1:9/orders', next_attempt_at: '<+2h', state: 'scheduled,retrying', 'data.order.id': '1001', http_status: '<600', attempts: '0' };
    const names = Object.keys(conditions) as (keyof typeof conditions)[];
    const term = (name: keyof typeof conditions): string => `${name}:${conditions[name]}`;
    const pairs = names.flatMap((one) => [[one], ...(['id', 'client_id'] as const).filter((other) => other !== one).map((other) => [other, one] as const)] as const);
    for (const pair of pairs) {
      const parameters = Object.fromEntries(pair.map((name) => [name, conditions[name]]));
      const [first, ...others] = pair;
      const halves = { [first]: conditions[first], ...(others.length === 0 ? {} : { q: others.map(term).join(' ') }) };
      const found = [...(await walkedIds(service.baseUrl, parameters))].sort();
      for (const query of [{ q: pair.map(term).join(' ') }, halves]) expect([...(await walkedIds(service.baseUrl, query))].sort(), JSON.stringify(query)).to.deep.equal(found);
      expect(await count(halves), JSON.stringify(halves)).to.equal(found.length);
      for (const filter of [parameters, halves]) expect((await dryRun(filter)).body, JSON.stringify(filter)).to.include({ matched: found.length, is_exact: true });
    }
    expect(await count({ q: 'http_status:<600' }), 'no task has a status').to.equal(0);
    for (const [query, expected] of [[{ id: 'even*' }, TASKS / 2], [{ client_id: '"a,b"' }, TASKS / 3], [{ client_id: '"a,b"', id: 'even*' }, TASKS / 6], [{ 'data.order.id': '1001' }, TASKS / 6]] as const) expect(await count(query), JSON.stringify(query)).to.equal(expected);
  });

  it('takes both ends of a range of times, and neither of what is before or after one', async () => {
    await submitBatch(service.baseUrl, [1, 2, 3].map((hours) => httpTask('http://127.0.0.1:9/hook', { id: `in-${hours}`, initial_delay: hours * HOUR_S })));
    const [one, two, three] = (await Promise.all(['in-1', 'in-2', 'in-3'].map((id) => getTask(service.baseUrl, id)))).map(({ next_attempt_at: at }) => at ?? '') as [string, string, string];
    const created = (await getTask(service.baseUrl, 'in-1')).created_at;
    for (const [q, expected] of [
      [`next_attempt_at:${one}..${two}`, ['in-1', 'in-2']],
      [`next_attempt_at:${two}..${two}`, ['in-2']],
      [`next_attempt_at:${two}`, ['in-2']],
      [`next_attempt_at:>=${two}`, ['in-2', 'in-3']],
      [`next_attempt_at:>${two}`, ['in-3']],
      [`next_attempt_at:<=${two}`, ['in-1', 'in-2']],
      [`next_attempt_at:<${two}`, ['in-1']],
      [`next_attempt_at:>${one} next_attempt_at:<${three}`, ['in-2']],
      [`-next_attempt_at:${one}..${two}`, ['in-3']],
      [`next_attempt_at:${two}..${one}`, undefined],
      [`id:in-1 created_at:${created}..${created}`, ['in-1']],
      [`id:in-1 created_at:<${created}`, []],
      [`id:in* created_at:<${created}`, []],
    ] as const) {
      if (expected === undefined) expect((await call(service.baseUrl, `/tasks?${new URLSearchParams({ q }).toString()}`)).body, q).to.include({ code: 'invalid_query' });
      else expect([...(await walkedIds(service.baseUrl, { q }))].sort(), q).to.deep.equal(expected);
    }
  });

  it('finds the tasks of each group of GET /failures, also of those without a status', async () => {
    const receiver = await createReceiver();
    try {
      receiver.on('/404', { kind: 'answer', status: 404 });
      receiver.on('/410', { kind: 'answer', status: 410 });
      const parked = (url: string, id: string): WireTask => httpTask(url, { id, on_exhausted: 'park' });
      const tasks = [parked(receiver.url('/404'), 'missing-1'), parked(receiver.url('/404'), 'missing-2'), parked(receiver.url('/410'), 'gone'), parked('http://127.0.0.1:9/x', 'refused')];
      await submitBatch(service.baseUrl, tasks);
      await service.startWorker();
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'parked');
      const groups = await eventually(async () => {
        // As in the contract, which call() has checked.
        const found = (await call(service.baseUrl, '/failures')).body['groups'] as { destination_key: string; error_code: string; http_status: number | null; count: number; samples: string[] }[];
        expect(found.reduce((sum, group) => sum + group.count, 0)).to.equal(tasks.length);
        return found;
      });
      expect(groups).to.have.lengthOf(3);
      for (const { destination_key: key, error_code: code, http_status: status, count: failed, samples } of groups) {
        const q = `destination_key:"${key}" error_code:${code} ${status === null ? '-http_status:*' : `http_status:${status}`}`;
        expect([...(await walkedIds(service.baseUrl, { q }))].sort(), q).to.deep.equal([...samples].sort());
        expect(await count({ q }), q).to.equal(failed);
        const redrive = { action: 'redrive', dry_run: true, filter: { destination_key: [key], error_code: [code], http_status: status === null ? null : String(status) } };
        const { body } = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(redrive) });
        expect(body, q).to.include({ matched: failed, is_exact: true });
      }
    } finally {
      await receiver.close();
    }
  });
});
