import { expect } from 'chai';

import { askBulkAction, readBulkAction, startBulkAction, submitAll, tellBulkAction } from '../../../support/bulk-actions.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, uniqueId } from '../../../support/tasks.js';

describe('/bulk-actions without workers', () => {
  let service: InProcessService;

  beforeEach(async () => {
    service = await InProcessService.ready();
  });
  afterEach(() => service.close());

  const redrive = { action: 'redrive', ids: ['a', 'b'] };

  it('writes an action down, and says where it is', async () => {
    const { status, body, headers } = await askBulkAction(service.baseUrl, redrive);
    expect(status).to.equal(201);
    expect(body['id']).to.match(/^ba_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(headers.get('location')).to.equal(`/bulk-actions/${String(body['id'])}`);
    expect(body).to.deep.include({ action: 'redrive', state: 'matching', matched: null, pending: 0, started: 0, order: 'oldest', rate: null, limit: null, reason: null, state_reason: null, filter: null, matched_at: null });
    expect(await readBulkAction(service.baseUrl, String(body['id']))).to.deep.equal(body);
  });

  it('answers the same request again with the action as it is, and another one under its id with conflict', async () => {
    const ask = { id: `mine ${uniqueId()}`, ...redrive, reason: 'because' };
    await startBulkAction(service.baseUrl, ask);
    const again = await askBulkAction(service.baseUrl, Object.fromEntries(Object.entries(ask).reverse()));
    expect([again.status, again.body['is_duplicate'], again.body['state']]).to.deep.equal([200, true, 'matching']);
    for (const other of [{ ...ask, rate: 1 }, { ...ask, ids: ['a'] }, { ...ask, reason: 'why not' }]) {
      const { status, body } = await askBulkAction(service.baseUrl, other);
      expect([status, body['code']]).to.deep.equal([409, 'conflict']);
    }
    expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.have.lengthOf(1);
  });

  it('does not wait for ever for the number that is expected', async () => {
    const { status, body } = await askBulkAction(service.baseUrl, { ...redrive, expected: 2 });
    expect([status, body['state']]).to.deep.equal([201, 'matching']);
  });

  it('lists the newest first, a page at a time', async () => {
    const ids: string[] = [];
    for (let nth = 0; nth < 5; nth += 1) ids.unshift(await startBulkAction(service.baseUrl, redrive));
    const found: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await call(service.baseUrl, `/bulk-actions?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      found.push(...(body['bulk_actions'] as { id: unknown }[]).map(({ id }) => id));
      cursor = body['next_cursor'] as string | null;
    }
    expect([...found].sort()).to.deep.equal([...ids].sort());
    expect((await call(service.baseUrl, '/bulk-actions?cursor=abc')).body['code']).to.equal('invalid_cursor');
  });

  it('is paused, resumed and cancelled before its tasks are known', async () => {
    const id = await startBulkAction(service.baseUrl, redrive);
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).body).to.deep.include({ state: 'paused', state_reason: { code: 'operator', message: 'paused by an operator' } });
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).body).to.deep.include({ state: 'matching', state_reason: null });
    expect((await tellBulkAction(service.baseUrl, id, 'cancel')).body).to.deep.include({ state: 'cancelled' });
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).body['code']).to.equal('finished');
  });

  it('knows no action of another id', async () => {
    for (const path of ['/bulk-actions/nobody', '/bulk-actions/index']) {
      const { status, body } = await call(service.baseUrl, path);
      expect([status, body['code']]).to.deep.equal([404, 'bulk_action_not_found']);
    }
    expect((await tellBulkAction(service.baseUrl, 'nobody', 'pause')).status).to.equal(404);
  });

  const refused: [name: string, body: unknown, field: string][] = [
    ['no action', { ids: ['a'] }, 'action'],
    ['an unknown action', { ...redrive, action: 'replay' }, 'action'],
    ['neither filter nor ids', { action: 'redrive' }, 'filter'],
    ['both filter and ids', { ...redrive, filter: { state: 'parked' } }, 'ids'],
    ['an empty filter', { action: 'redrive', filter: {} }, 'filter'],
    ['a filter that is no object', { action: 'redrive', filter: 'state:parked' }, 'filter'],
    ['a state that a redrive cannot take', { action: 'redrive', filter: { state: 'parked,scheduled' } }, 'filter.state'],
    ['a state that a deletion cannot take', { action: 'delete', filter: { q: 'state:dead_lettered' }, expected: 1, reason: 'r' }, 'filter.q'],
    ['a cursor without a dry run', { ...redrive, cursor: 'abc' }, 'cursor'],
    ['an empty list of ids', { action: 'redrive', ids: [] }, 'ids'],
    ['10,001 ids', { action: 'redrive', ids: Array.from({ length: 10_001 }, (_, nth) => `t-${nth}`) }, 'ids'],
    ['an id that is no text', { action: 'redrive', ids: ['a', 7] }, 'ids.1'],
    ['an unknown field', { ...redrive, speed: 7 }, 'speed'],
    ['a rate of 0', { ...redrive, rate: 0 }, 'rate'],
    ['a limit of 0', { ...redrive, limit: 0 }, 'limit'],
    ['half a task expected', { ...redrive, expected: 1.5 }, 'expected'],
    ['another order', { ...redrive, order: 'random' }, 'order'],
    ['an id with a slash', { ...redrive, id: 'a/b' }, 'id'],
    ['a cancellation without a number', { action: 'cancel', ids: ['a'], reason: 'r' }, 'expected'],
    ['a deletion without a reason', { action: 'delete', ids: ['a'], expected: 1 }, 'reason'],
    ['a cancellation of null tasks', { action: 'cancel', ids: ['a'], expected: null, reason: 'r' }, 'expected'],
    ['a deletion of null tasks', { action: 'delete', filter: { state: 'parked' }, expected: null, reason: 'r' }, 'expected'],
    ['a deletion with null for its reason', { action: 'delete', ids: ['a'], expected: 1, reason: null }, 'reason'],
    ['null for a dry run', { action: 'delete', ids: ['a'], expected: 1, reason: 'r', dry_run: null }, 'dry_run'],
    ['null for the ids', { action: 'redrive', ids: null }, 'ids'],
    ['null for the filter', { action: 'redrive', filter: null }, 'filter'],
    ['null for the override', { ...redrive, override: null }, 'override'],
    ['a reason that is empty', { ...redrive, reason: '' }, 'reason'],
    ['an array', [], ''],
  ];
  for (const [name, body, field] of refused) {
    it(`refuses ${name}, and does nothing`, async () => {
      const answer = await askBulkAction(service.baseUrl, body);
      expect([answer.status, answer.body['code']]).to.deep.equal([400, 'invalid_request']);
      expect((answer.body['details'] as { field: string }[]).map((fault) => fault.field)).to.include(field);
      expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.deep.equal([]);
    });
  }

  it('refuses a name that stands twice, so that no dry run is dropped', async () => {
    const { status, body } = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"action":"redrive","ids":["a"],"dry_run":true,"dry_run":false}' });
    expect([status, body['code']]).to.deep.equal([400, 'invalid_request']);
    expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.deep.equal([]);
  });

  it('refuses a short body that is very deep, here and wherever JSON is taken', async () => {
    const body = `${'['.repeat(4_900)}${']'.repeat(4_900)}`;
    const routes = [['POST', '/bulk-actions'], ['POST', '/tasks'], ['PATCH', '/tasks/a'], ['POST', '/destinations/a/pause'], ['PUT', '/destinations/a'], ['POST', '/session'], ['POST', '/keys'], ['POST', '/test-sends']] as const;
    for (const [method, path] of routes) {
      for (const sent of [body, `{"a":${body}}`]) {
        const answer = await call(service.baseUrl, path, { method, headers: { 'content-type': 'application/json' }, body: sent });
        expect([path, answer.status], JSON.stringify(answer.body)).to.deep.equal([path, 400]);
      }
    }
  });

  const unreadable: [name: string, filter: unknown, field: string][] = [
    ['an empty value', { client_id: '' }, 'filter.client_id'],
    ['an empty array', { client_id: [] }, 'filter.client_id'],
    ['an empty query', { q: '' }, 'filter.q'],
    ['a query of spaces', { q: '  ' }, 'filter.q'],
    ['21 members', Object.fromEntries(Array.from({ length: 21 }, (_, nth) => [`data.a${nth}`, ['x']])), 'filter.data.a20'],
    ['100,000 characters', { source: Array.from({ length: 50 }, () => 's'.repeat(2_000)) }, 'filter.source'],
    ['an unknown name', { cliend_id: 'a' }, 'filter.cliend_id'],
    ['a quote that is not closed', { q: 'client_id:"a' }, 'filter.q'],
  ];
  for (const [name, filter, field] of unreadable) {
    it(`refuses a filter with ${name}, and does nothing`, async () => {
      for (const more of [{}, { dry_run: true }]) {
        const { status, body } = await askBulkAction(service.baseUrl, { action: 'redrive', filter, ...more });
        expect([status, body['code']], JSON.stringify(body)).to.deep.equal([400, 'invalid_query']);
        const [fault] = body['details'] as { field: string; position: number }[];
        expect(fault).to.include({ field }).and.have.property('position');
      }
      expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.deep.equal([]);
    });
  }

  it('shows a filter without the secrets of a url that stands in it', async () => {
    const url = 'https://user:s3cret@api.example.com/orders?token=s3cret';
    const plain = 'https://api.example.com/orders';
    const filter = { destination_key: `"${url}",tenant-7`, destination: [url], flow_key: [url, 'tenant-7'], q: `-destination:"${url}" destination:"https://user:s3cr"* client_id:a`, client_id: ['a,b'], created_at: '>-1h' };
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', filter, reason: 'r' });
    const { body: listed } = await call(service.baseUrl, '/bulk-actions');
    const { body: told } = await tellBulkAction(service.baseUrl, id, 'pause');
    const { body: audit } = await call(service.baseUrl, '/audit');
    for (const shown of [listed, told, audit, await readBulkAction(service.baseUrl, id)]) expect(JSON.stringify(shown)).to.not.include('s3cr');
    expect(told['filter']).to.deep.equal({ destination_key: `${plain},tenant-7`, destination: [plain], flow_key: ['https://***@api.example.com/orders?...', 'tenant-7'], q: `-destination_key:${plain} destination_key:"***"* client_id:a`, client_id: ['a,b'], created_at: '>-1h' });
  });

  it('says of ids what it would meet, without doing it', async () => {
    const { status, body } = await askBulkAction(service.baseUrl, { action: 'redrive', ids: ['a', 'b', 'a'], dry_run: true });
    expect(status).to.equal(200);
    expect(body).to.deep.equal({ matched: 2, is_exact: true, scanned: 0, next_cursor: null, by_error_code: [], by_destination_key: [], samples: [], is_complete: true, shards_away: [] });
    expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.deep.equal([]);
  });

  it('shows of ids those alone, though other tasks could be changed as well', async () => {
    const tasks = Array.from({ length: 3 }, () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }));
    await submitAll(service.baseUrl, tasks);
    const [one, two] = tasks.map(({ id }) => id);
    const { body } = await askBulkAction(service.baseUrl, { action: 'send_now', ids: [one, two, 'none'], dry_run: true });
    expect(body).to.deep.include({ matched: 3, is_exact: true, scanned: 2, by_destination_key: [{ value: 'http://127.0.0.1:9/', count: 2 }] });
    expect((body['samples'] as { id: string }[]).map(({ id }) => id)).to.have.members([one, two]);
  });

  it('takes 10,000 ids, and refuses one more', async () => {
    const ids = (length: number): string[] => Array.from({ length }, (_, nth) => `task-${nth}`);
    await startBulkAction(service.baseUrl, { action: 'redrive', ids: ids(10_000) });
    const answer = await fetch(`${service.baseUrl}/bulk-actions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action: 'redrive', ids: ids(10_001) }) });
    expect([answer.status, await answer.text()].join(' ')).to.match(/^400 .*10,?000/);
  });
});
