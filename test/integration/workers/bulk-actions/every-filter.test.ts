import { expect } from 'chai';

import { askBulkAction, startBulkAction, submitAll, waitUntilSettled } from '../../../support/bulk-actions.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, type WireTask } from '../../../support/tasks.js';

const HOUR_S = 3_600;
const ORIGIN = 'http://127.0.0.1:9';

describe('the filter of a bulk action', () => {
  let service: InProcessService;
  const tasks = Array.from({ length: 12 }, (_, nth) =>
    httpTask(`${ORIGIN}/${nth % 2 === 0 ? 'even' : 'odd'}`, {
      client_id: `client ${nth % 3}`,
      source: `source-${nth % 4}`,
      flow_key: `flow,${nth % 3}`,
      message_data: JSON.stringify({ order: { id: 1_000 + (nth % 3) } }),
      initial_delay: nth < 6 ? HOUR_S : 3 * HOUR_S,
      // Priority is another place in Redis.
      is_priority: nth % 5 === 0,
    }),
  );

  before(async () => {
    service = await InProcessService.ready({ shards: 3 });
    await submitAll(service.baseUrl, tasks);
    await service.startWorker();
  });
  after(() => service.close());

  const conditions: Readonly<Record<string, string>> = {
    id: tasks.slice(0, 4).map(({ id }) => id).join(','),
    client_id: '"client 1"',
    source: 'source-2',
    flow_key: '"flow,1"',
    destination_key: `${ORIGIN}/even`,
    destination_type: 'http',
    attempts: '0',
    created_at: '>-1h',
    'data.order.id': '1001',
    state: 'scheduled',
  };

  async function listed(filter: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const { status, body } = await call(service.baseUrl, `/tasks?limit=1000&${new URLSearchParams({ state: 'scheduled', ...filter }).toString().replaceAll('+', '%20')}`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return (body['tasks'] as { id: string }[]).map(({ id }) => id).sort();
  }

  /** The same in every form in which it can be asked. */
  async function expectTheSame(filter: Readonly<Record<string, string>>): Promise<void> {
    const ids = await listed(filter);
    expect(ids.length, 'some, and not all').to.be.within(1, tasks.length);
    const q = Object.entries(filter).map(([name, value]) => `${name}:${value}`).join(' ');
    for (const form of [filter, { q }]) {
      const dry = await askBulkAction(service.baseUrl, { action: 'send_now', filter: form, dry_run: true });
      expect([dry.status, dry.body['matched'], dry.body['is_exact']], JSON.stringify(form)).to.deep.equal([200, ids.length, true]);
    }
    const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter, expected: ids.length, reason: 'to see which', limit: 1, order: 'newest' });
    const { matched, started } = await waitUntilSettled(service.baseUrl, id);
    expect([matched, started], JSON.stringify(filter)).to.deep.equal([ids.length, 1]);
    const [changed] = (await call(service.baseUrl, `/tasks?bulk_action_id=${id}`)).body['tasks'] as { id: string }[];
    expect(ids).to.include(changed?.id);
    // The next condition finds it again.
    await submitAll(service.baseUrl, tasks.filter((task) => task.id === changed?.id));
  }

  const fields = Object.keys(conditions);
  const pick = (...names: readonly string[]): Readonly<Record<string, string>> => Object.fromEntries(names.map((name) => [name, conditions[name] ?? '']));
  for (const field of fields) {
    it(`takes what the list and the dry run show: ${field}`, () => expectTheSame(pick(field)));
  }
  for (const [one, two] of [['id', 'client_id'], ['source', 'destination_key'], ['flow_key', 'created_at'], ['data.order.id', 'attempts'], ['client_id', 'data.order.id']] as const) {
    it(`takes what the list and the dry run show: ${one} and ${two}`, () => expectTheSame(pick(one, two)));
  }

  // The last one: what it leaves would be found by the others.
  it('says how many tasks could not be looked into, which it leaves as they are', async () => {
    const [small, large] = ['', 'x'.repeat(300_000)].map((padding) => httpTask(ORIGIN, { source: 'large', initial_delay: HOUR_S, message_data: JSON.stringify({ padding, order: { id: 7 } }) })) as [WireTask, WireTask];
    await submitAll(service.baseUrl, [small, large]);
    const filter = { source: 'large', 'data.order.id': '7' };
    const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter, expected: 1, reason: 'to see which' });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ matched: 1, not_read: 1, started: 1 });
    expect(await getTask(service.baseUrl, large.id)).to.deep.include({ state: 'scheduled' });
    const whole = await startBulkAction(service.baseUrl, { action: 'cancel', filter: { source: 'large' }, expected: 1, reason: 'all of it' });
    expect(await waitUntilSettled(service.baseUrl, whole)).to.deep.include({ matched: 1, not_read: 0, started: 1 });
  });
});
