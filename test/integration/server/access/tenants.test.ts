import { expect } from 'chai';

import { ADMIN_KEY, callWith, makeKey } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId, type Answer, type WireTask } from '../../../support/tasks.js';

/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9/hook';

describe('a key that is bound to clients', function () {
  this.timeout(60_000);

  let service: InProcessService;
  /** Bound to c2, with every permission. */
  let bound: string;

  before(async () => {
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    bound = (await makeKey(service.baseUrl, { role: 'operate', permissions: ['payload', 'edit'], client_ids: ['c2', 'c3'] })).key;
  });
  after(() => service.close());

  const as = (key: string, method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer> => callWith(key, service.baseUrl, path, { method, body, ...(headers === undefined ? {} : { headers }) });
  const admin = (method: string, path: string, body?: unknown): Promise<Answer> => as(ADMIN_KEY, method, path, body);
  const taskOf = (client: string, changes: Partial<WireTask> = {}): WireTask => httpTask(NOWHERE, { client_id: client, initial_delay: 3_600, ...changes });
  const store = async (task: WireTask): Promise<WireTask> => {
    expect((await admin('POST', '/tasks', task)).status).to.equal(201);
    return task;
  };
  /** An answer without what differs between any two requests, and without the id that was asked for. */
  const told = ({ status, body }: Answer, id: string): string => JSON.stringify({ status, ...body, request_id: undefined }).replaceAll(id, '<id>');

  it('hands over tasks of its clients, and of no other, alone and in a batch', async () => {
    expect((await as(bound, 'POST', '/tasks', taskOf('c2'))).status).to.equal(201);
    expect((await as(bound, 'POST', '/tasks', taskOf('c1'))).body).to.include({ code: 'forbidden' });
    const tasks = [taskOf('c2'), taskOf('c1'), taskOf('c3'), taskOf('C2')];
    for (const [type, text] of [['application/json', JSON.stringify(tasks)], ['application/x-ndjson', tasks.map((task) => JSON.stringify({ ...task, id: `${task.id}-n` })).join('\n')]] as const) {
      const response = await fetch(`${service.baseUrl}/tasks/batch`, { method: 'POST', headers: { authorization: `Bearer ${bound}`, 'content-type': type }, body: text });
      const { results } = (await response.json()) as { results: { status: number; code?: string }[] };
      expect(results.map(({ status, code }) => [status, code]), type).to.deep.equal([[201, undefined], [403, 'forbidden'], [201, undefined], [403, 'forbidden']]);
    }
    expect((await as(bound, 'POST', '/tasks/batch', [taskOf('c1')])).body['counts'], 'as the contract says').to.include({ total: 1, refused: 1 });
    expect((await admin('GET', `/tasks/${String(tasks[1]?.id)}`)).status, 'nothing was stored').to.equal(404);
    await eventually(() => { expect(service.log, 'an item that is refused is seen, too').to.match(/"message":"(request refused|more requests were refused)".*("path":"\/tasks\/batch","status":403,"code":"forbidden".*"key_id"|forbidden \d)/); });
  });

  it('is told nothing of an id that another client holds, in any state, and never replaces its task', async () => {
    const waiting = await store(taskOf('c1'));
    const cancelled = await store(taskOf('c1'));
    await admin('DELETE', `/tasks/${cancelled.id}`);
    const parked = await store(taskOf('c1', { on_exhausted: 'park', initial_delay: 0 }));
    const dead = await store(taskOf('c1', { initial_delay: 0 }));
    const withoutFields = await store(taskOf('c1'));
    await admin('DELETE', `/tasks/${withoutFields.id}`);
    await service.redis.hdel(`${service.prefix}:deliver-0:t-${withoutFields.id}`, 'w');
    const worker = await service.startWorker();
    try {
      await eventually(async () => { expect((await admin('GET', `/tasks/${parked.id}`)).body).to.include({ state: 'parked' }); });
      await eventually(async () => { expect((await admin('GET', `/tasks/${dead.id}`)).body['state']).to.be.oneOf(['parked', 'dead_lettered', 'dead_lettering']); });
    } finally {
      await worker.stop(0);
    }
    const answers = new Set<string>();
    for (const { id } of [waiting, cancelled, parked, dead, withoutFields]) {
      const before = (await admin('GET', `/tasks/${id}`)).body;
      answers.add(told(await as(bound, 'POST', '/tasks', taskOf('c2', { id })), id));
      answers.add(told(await as(bound, 'POST', '/tasks', taskOf('c2', { id }), { 'idempotency-key': 'mine' }), id));
      const batch = await as(bound, 'POST', '/tasks/batch', [taskOf('c2', { id })]);
      expect((batch.body['results'] as { status: number; code: string }[])[0], id).to.include({ status: 409, code: 'conflict' });
      expect((await admin('GET', `/tasks/${id}`)).body, 'it is as it was').to.deep.equal(before);
    }
    expect([...answers]).to.deep.equal(['{"status":409,"error":"the id \\"<id>\\" is taken; nothing was changed","code":"conflict"}']);
  });

  it('replaces its own task that has ended, and repeats a submission, as any key does', async () => {
    const task = taskOf('c2');
    const send = (body: WireTask, headers?: Readonly<Record<string, string>>) => as(bound, 'POST', '/tasks', body, headers);
    expect((await send(task)).body).to.include({ run: 1, is_duplicate: false });
    expect((await send(task)).body).to.include({ run: 1, is_duplicate: true });
    expect((await send({ ...task, max_retries: 3 })).body).to.include({ code: 'conflict' });
    expect((await as(bound, 'DELETE', `/tasks/${task.id}`)).status).to.equal(200);
    expect((await send(task, { 'idempotency-key': 'k1' })).body).to.include({ run: 2, is_duplicate: false });
    await as(bound, 'DELETE', `/tasks/${task.id}`);
    expect((await send(task, { 'idempotency-key': 'k1' })).body).to.include({ run: 2, is_duplicate: true, state: 'cancelled' });
    expect((await send({ ...task, client_id: 'c3' })).body, 'the other one of its own clients does not take the id away').to.include({ code: 'conflict' });
  });

  it('gets the same answer for a task of another client as for none, from every call', async () => {
    const foreign = await store(taskOf('c1'));
    const before = (await admin('GET', `/tasks/${foreign.id}?include=message_data`)).body;
    const calls: readonly (readonly [method: string, path: (id: string) => string, body?: unknown])[] = [
      ['GET', (id) => `/tasks/${id}`],
      ['GET', (id) => `/tasks/${id}?include=message_data`],
      ['GET', (id) => `/tasks/${id}/submission`],
      ['DELETE', (id) => `/tasks/${id}`],
      ['POST', (id) => `/tasks/${id}/retry`],
      ['PATCH', (id) => `/tasks/${id}`, { max_retries: 9 }],
      ['GET', (id) => `/tasks?id=${id}`],
      ['GET', (id) => `/counts?id=${id}`],
      ['GET', (id) => `/counts?id=${id}&client_id=c1&by=client_id`],
    ];
    for (const [method, path, body] of calls) {
      const nothing = uniqueId();
      expect(told(await as(bound, method, path(foreign.id), body), foreign.id), `${method} ${path('')}`).to.equal(told(await as(bound, method, path(nothing), body), nothing));
    }
    expect((await admin('GET', `/tasks/${foreign.id}?include=message_data`)).body, 'nothing was changed').to.deep.equal(before);
    const own = taskOf('c2');
    await as(bound, 'POST', '/tasks', own);
    for (const [method, path, body] of calls.slice(0, 3).concat(calls.slice(5, 6))) expect((await as(bound, method, path(own.id), body)).status, `its own: ${method}`).to.equal(200);
  });

  it('changes nothing of a task that took the id of its own one a moment before the change', async () => {
    const own = taskOf('c2');
    await as(bound, 'POST', '/tasks', own);
    const read = await service.queue.find(own.id);
    if (read === undefined) throw new Error('it was stored');
    await admin('DELETE', `/tasks/${own.id}`);
    await store(taskOf('c1', { id: own.id }));
    const before = (await admin('GET', `/tasks/${own.id}?include=message_data`)).body;
    // The look is over, and only now comes the change.
    const by = { type: 'key', id: 'x', name: null, operator: null } as const;
    const acting = { by, clientIds: ['c2', 'c3'] };
    expect(await service.queue.cancel(own.id, acting)).to.deep.equal({ kind: 'foreign' });
    expect(await service.queue.retryNow(own.id, acting)).to.deep.equal({ kind: 'foreign' });
    expect(await service.queue.edit({ before: read, after: { ...read.task, source: 'mine' }, data: '{}', by })).to.deep.equal({ kind: 'changed' });
    expect((await admin('GET', `/tasks/${own.id}?include=message_data`)).body).to.deep.equal(before);
    expect(await service.queue.cancel(own.id, { by, clientIds: ['c3', 'c1'] })).to.deep.equal({ kind: 'cancelled' });
    expect(await service.queue.cancel(uniqueId(), acting)).to.deep.equal({ kind: 'not_found' });
  });

  it('waits for no turn to read a large task of another client, and takes none', async () => {
    const { id } = await store(taskOf('c1', { message_data: 'x'.repeat(200_000) }));
    let turns = 0;
    const count = async (): Promise<void> => { turns += 1; };
    expect(await service.queue.findOf(id, ['c2', 'c3'], count)).to.equal('foreign');
    expect(turns).to.equal(0);
    expect(await service.queue.findOf(id, ['c1'], count)).to.be.an('object');
    expect(turns).to.equal(1);
  });

  it('is logged with its key when it asks for a task or an id of another client', async () => {
    const foreign = await store(taskOf('c1'));
    const why = (text: string, path: string): RegExp => new RegExp(`"path":"${path}"[^\n]*"why":"${text}"|more requests were refused`);
    await as(bound, 'DELETE', `/tasks/${foreign.id}`);
    await eventually(() => { expect(service.log).to.match(why('task of another client', `/tasks/${foreign.id}`)); });
  });

  it('gets no task of another client whose record cannot be read', async () => {
    const { id } = await store(taskOf('c1'));
    await service.redis.hset(`${service.prefix}:deliver-0:t-${id}`, 'data', '{"v":99}');
    expect((await admin('GET', `/tasks/${id}`)).body).to.include({ code: 'task_unreadable' });
    expect((await as(bound, 'GET', `/tasks/${id}`)).body).to.include({ code: 'task_not_found' });
    await service.redis.del(`${service.prefix}:deliver-0:t-${id}`);
  });

  it('lists and counts its own tasks alone, whatever the filter says, and its cursors name no other', async () => {
    const source = uniqueId('source');
    const foreign = await Promise.all(Array.from({ length: 20 }, () => store(taskOf('c1', { source }))));
    const own = await Promise.all(Array.from({ length: 5 }, (_, nth) => store(taskOf(nth % 2 === 0 ? 'c2' : 'c3', { source }))));
    const ids = own.map(({ id }) => id);
    const listed: string[] = [];
    const cursors: string[] = [];
    for (let query = `source=${source}&limit=2`; ; ) {
      const { status, body } = await as(bound, 'GET', `/tasks?${query}`);
      expect(status, JSON.stringify(body)).to.equal(200);
      const tasks = body['tasks'] as { id: string }[];
      listed.push(...tasks.map(({ id }) => id));
      expect(body['scanned'], 'it tells nothing of others').to.equal(tasks.length);
      const next = body['next_cursor'];
      if (typeof next !== 'string') break;
      cursors.push(next);
      query = `source=${source}&limit=2&cursor=${next}`;
    }
    expect(listed).to.have.lengthOf(5).and.to.have.members(ids);
    expect(cursors.length).to.be.at.least(2);
    for (const cursor of cursors) expect(foreign.some(({ id }) => Buffer.from(cursor, 'base64url').toString('latin1').includes(id))).to.equal(false);
    expect((await admin('GET', `/tasks?source=${source}&limit=2&cursor=${cursors[0] ?? ''}`)).body, 'it is of use to no other key').to.include({ code: 'invalid_cursor' });
    for (const cursor of ['abc', 'A'.repeat(80)]) expect((await as(bound, 'GET', `/tasks?source=${source}&limit=2&cursor=${cursor}`)).body).to.include({ code: 'invalid_cursor' });

    for (const query of ['', '&client_id=c1,c2,c3', '&q=-client_id:zz', '&client_id=*']) expect((await as(bound, 'GET', `/counts?source=${source}${query}`)).body, query).to.include({ count: 5 });
    expect((await as(bound, 'GET', `/counts?source=${source}&client_id=c1`)).body).to.include({ count: 0, scanned: 0 });
    const { groups } = (await as(bound, 'GET', `/counts?source=${source}&by=client_id`)).body as { groups: unknown };
    expect(groups).to.deep.equal([{ value: 'c2', count: 3 }, { value: 'c3', count: 2 }]);
    expect((await admin('GET', `/counts?source=${source}`)).body).to.include({ count: 25 });
  });

  it('changes its own tasks alone in bulk, by ids and by a filter, and counts others as gone', async () => {
    const source = uniqueId('source');
    const foreign = [await store(taskOf('c1', { source })), await store(taskOf('c1', { source }))] as const;
    const own = [await store(taskOf('c2', { source })), await store(taskOf('c3', { source }))] as const;
    const ids = [...foreign, ...own].map(({ id }) => id);

    const dry = (await as(bound, 'POST', '/bulk-actions', { action: 'send_now', ids, dry_run: true })).body as { matched: number; samples: { id: string }[] };
    expect(dry.samples.map(({ id }) => id)).to.have.members(own.map(({ id }) => id));
    expect((await as(bound, 'POST', '/bulk-actions', { action: 'send_now', filter: { source, client_id: ['c1', 'c2'] }, dry_run: true })).body).to.deep.include({ matched: 1, scanned: 1 });

    const worker = await service.startWorker();
    try {
      const run = async (body: object): Promise<Answer['body']> => {
        const { body: made } = await as(bound, 'POST', '/bulk-actions', body);
        return eventually(async () => {
          const { body: found } = await as(bound, 'GET', `/bulk-actions/${String(made['id'])}`);
          expect(found, JSON.stringify(made)).to.include({ state: 'done' });
          return found;
        });
      };
      const byIds = await run({ action: 'cancel', ids: [foreign[0].id, own[0].id], expected: 2, reason: 'test' });
      expect(byIds).to.deep.include({ matched: 2, cancelled: 0, started: 1 });
      expect((byIds['skipped'] as { gone: number }).gone).to.equal(1);
      const byFilter = await run({ action: 'cancel', filter: { source }, expected: 1, reason: 'test' });
      expect(byFilter).to.deep.include({ matched: 1, started: 1 });
    } finally {
      await worker.stop(0);
    }
    const states = async (tasks: readonly WireTask[]): Promise<unknown[]> => Promise.all(tasks.map(async ({ id }) => (await admin('GET', `/tasks/${id}`)).body['state']));
    expect(await states(own)).to.deep.equal(['cancelled', 'cancelled']);
    expect(await states(foreign)).to.deep.equal(['scheduled', 'scheduled']);
  });

  it('changes nothing in bulk of a task that took the id of its own one between matching and its turn', async () => {
    const source = uniqueId('source');
    const own = [await store(taskOf('c2', { source })), await store(taskOf('c2', { source, initial_delay: 7_200 }))] as const;
    const worker = await service.startWorker();
    try {
      const { body: made } = await as(bound, 'POST', '/bulk-actions', { action: 'cancel', filter: { source }, expected: 2, rate: 0.001, reason: 'test' });
      const action = async (): Promise<Answer['body']> => (await as(bound, 'GET', `/bulk-actions/${String(made['id'])}`)).body;
      await eventually(async () => { expect(await action()).to.include({ matched: 2, started: 1, pending: 1 }); });
      await admin('DELETE', `/tasks/${own[1].id}`);
      await store(taskOf('c1', { id: own[1].id, source }));
      await as(bound, 'PATCH', `/bulk-actions/${String(made['id'])}`, { rate: null });
      await eventually(async () => { expect(await action()).to.deep.include({ state: 'done', started: 1, skipped: { changed: 0, gone: 1, being_sent: 0, over_limit: 0 } }); });
    } finally {
      await worker.stop(0);
    }
    expect((await admin('GET', `/tasks/${own[1].id}`)).body).to.include({ state: 'scheduled', client_id: 'c1', bulk_action_id: null });
  });

  it('sees the bulk actions of its own clients alone', async () => {
    const id = uniqueId('action');
    const body = { id, action: 'send_now', filter: { source: 'no-such-source' }, reason: 'test' };
    expect((await admin('POST', '/bulk-actions', body)).status).to.equal(201);
    expect((await as(bound, 'GET', `/bulk-actions/${id}`)).body).to.include({ code: 'bulk_action_not_found' });
    for (const verb of ['pause', 'resume', 'cancel']) expect((await as(bound, 'POST', `/bulk-actions/${id}/${verb}`)).body, verb).to.include({ code: 'bulk_action_not_found' });
    expect((await as(bound, 'PATCH', `/bulk-actions/${id}`, { rate: 1 })).body).to.include({ code: 'bulk_action_not_found' });
    expect((await as(bound, 'POST', '/bulk-actions', body)).body, 'the same body is not the same action').to.include({ code: 'conflict' });
    expect((await admin('GET', `/bulk-actions/${id}`)).body, 'nothing was changed').to.include({ state: 'matching', rate: null });

    const own = uniqueId('action');
    expect((await as(bound, 'POST', '/bulk-actions', { ...body, id: own })).status).to.equal(201);
    expect((await as(bound, 'POST', '/bulk-actions', { ...body, id: own })).body).to.include({ is_duplicate: true });
    const listOf = async (key: string): Promise<string[]> => ((await as(key, 'GET', '/bulk-actions?limit=1000')).body['bulk_actions'] as { id: string }[]).map((each) => each.id);
    expect(await listOf(bound)).to.include(own).and.not.include(id);
    expect(await listOf(ADMIN_KEY)).to.include.members([id, own]);
    const narrower = (await makeKey(service.baseUrl, { role: 'operate', client_ids: ['c2'] })).key;
    expect((await as(narrower, 'GET', `/bulk-actions/${own}`)).body, 'it may change tasks of c3, too').to.include({ code: 'bulk_action_not_found' });
    expect((await as(bound, 'POST', `/bulk-actions/${own}/pause`)).body).to.include({ state: 'paused' });

    expect((await admin('POST', '/bulk-actions', { ...body, id: `${id}-newer` })).status).to.equal(201);
    const page = (await as(bound, 'GET', '/bulk-actions?limit=1')).body as { bulk_actions: { id: string }[]; next_cursor: string };
    expect(page.bulk_actions.map((each) => each.id), 'those of others fill no page').to.deep.equal([own]);
    await eventually(async () => {
      await as(bound, 'GET', `/bulk-actions/${id}`);
      await as(bound, 'POST', '/bulk-actions', body);
      expect(service.log).to.match(/"why":"bulk action of another client"/).and.to.match(/"code":"conflict"[^\n]*"why":"id of a task or bulk action of another client"/);
    }, { everyMs: 200 });
  });
});
