import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import type { Shard } from '../../../../shared/queue/engine/shard.js';
import { jobIdOf, shardOf } from '../../../../shared/queue/names.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, taskPage, taskPages, type Summary, type TaskPage } from '../../../support/task-pages.js';
import { tasksOf010 } from '../../../support/stored-tasks.js';
import { call, cancel, getTask, httpTask, retryNow, submitNew, type WireTask } from '../../../support/tasks.js';

interface Count {
  readonly count: number;
  readonly is_exact: boolean;
  readonly scanned: number;
  readonly not_read: number;
  readonly groups?: readonly { readonly value: string | number | null; readonly count: number }[];
  readonly next_cursor: string | null;
}

let service: InProcessService;

async function get(path: string, query: Readonly<Record<string, string>>): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  return call(service.baseUrl, `${path}?${new URLSearchParams(query).toString()}`);
}

async function page(query: Readonly<Record<string, string>>): Promise<TaskPage> {
  return taskPage(service.baseUrl, query);
}

/** Reads a list to its end. */
async function list(query: Readonly<Record<string, string>>, between?: () => Promise<void>): Promise<readonly Summary[]> {
  return (await taskPages(service.baseUrl, query, between)).flatMap(({ tasks }) => tasks);
}

async function idsOf(query: Readonly<Record<string, string>>): Promise<readonly string[]> {
  return (await list(query)).map(({ id }) => id).sort();
}

async function count(query: Readonly<Record<string, string>>): Promise<Count> {
  const { status, body } = await get('/counts', query);
  expect(status, JSON.stringify(body)).to.equal(200);
  // As in the contract, which call() has checked.
  return body as unknown as Count;
}

async function submitAll(tasks: readonly WireTask[]): Promise<void> {
  return submitBatch(service.baseUrl, tasks);
}

function task(id: string, changes: Partial<WireTask> = {}): WireTask {
  return httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 3_600, ...changes });
}

async function shard(): Promise<Shard> {
  const [first] = await service.queue.shards();
  if (first === undefined) throw new Error('no shard');
  return first;
}

const ids = (prefix: string, many: number): string[] => Array.from({ length: many }, (_, nth) => `${prefix}-${String(nth).padStart(5, '0')}`);

/** Puts a task that was submitted to be sent later among those that have failed, as the transition of a parked one does. */
async function park(taskIds: readonly string[], at: number, { keys }: Shard, { code = 'http_server_error', status = '500' } = {}): Promise<void> {
  const pipeline = service.redis.pipeline();
  for (const id of taskIds) {
    pipeline.zrem(keys.delayed, jobIdOf(id)).zadd(keys.failed, at, jobIdOf(id)).zadd(keys.parked, at, jobIdOf(id));
    pipeline.hset(keys.job(id), jobField.finishedAt, at, jobField.attemptsMade, 1, jobField.failure, ['11', 'delivery', 1, code, status, 'permanent_error', '', 'park', at].join('\x1f'));
  }
  await pipeline.exec();
}

describe('GET /tasks and GET /counts', () => {
  let receiver: Receiver;
  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  it('show a task in a list as it is shown alone', async () => {
    receiver.on('/hook', { kind: 'answer', status: 500 });
    await submitNew(service.baseUrl, httpTask(receiver.url('/hook'), { id: 'failing', client_id: 'acme', source: 'orders', max_retries: 3, base_delay: 3_600, initial_delay: 0, message_data: 'ü' }));
    await submitNew(service.baseUrl, task('waits', { flow_key: 'tenant-7', is_priority: true }));
    await service.startWorker();
    await eventually(async () => { expect((await getTask(service.baseUrl, 'failing')).state).to.equal('retrying'); });

    const [failing] = await list({ id: 'failing' });
    const alone = await getTask(service.baseUrl, 'failing');
    expect(failing).to.include({ client_id: 'acme', source: 'orders', flow_key: null, attempts: 1, waiting_for: 'backoff', destination_type: 'http', destination_key: receiver.url('/hook'), error_code: 'http_server_error', http_status: 500, is_priority: false, message_bytes: 2, bulk_action_id: null, edits: 0 });
    expect(Date.parse(String(failing?.['updated_at']))).to.be.at.least(Date.parse(alone.created_at));
    expect((await list({ id: 'waits' }))[0]).to.include({ flow_key: 'tenant-7', is_priority: true, waiting_for: 'initial_delay', attempts: 0, error_code: null });
  });

  it('find every state, and one run of a task alone', async () => {
    receiver.on('/ok', { kind: 'answer' });
    receiver.on('/hang', { kind: 'hang' });
    receiver.on('/404', { kind: 'answer', status: 404 });
    const to = (path: string, id: string, changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url(path), { id, dead_destination: { url: receiver.url('/ok') }, ...changes });
    for (const each of [
      to('/ok', 'delivered'),
      to('/hang', 'delivering'),
      to('/404', 'retrying', { max_retries: 1, base_delay: 3_600, initial_delay: 0 }),
      to('/404', 'dead_lettered'),
      to('/404', 'parked', { on_exhausted: 'park' }),
      to('/404', 'dead_lettering', { dead_destination: { url: receiver.url('/hang') } }),
      to('/ok', 'scheduled', { initial_delay: 3_600 }),
      to('/ok', 'cancelled', { initial_delay: 3_600 }),
    ]) await submitNew(service.baseUrl, each);
    await cancel(service.baseUrl, 'cancelled');
    await service.startWorker();
    const states = ['delivered', 'delivering', 'retrying', 'dead_lettered', 'parked', 'dead_lettering', 'scheduled', 'cancelled'];
    for (const id of states) await eventually(async () => { expect((await getTask(service.baseUrl, id)).state).to.equal(id); });

    for (const state of states) {
      const [shown, ...others] = await list({ state });
      expect([shown?.id, others], state).to.deep.equal([state, []]);
      const { waiting_for: waitingFor, ...alone } = (await get(`/tasks/${state}`, {})).body;
      expect({ ...alone, waiting_for: (waitingFor as { code: string } | null)?.code ?? null }, state).to.deep.include(shown);
    }
    expect(await idsOf({ state: 'waiting' })).to.deep.equal(['dead_lettering', 'retrying', 'scheduled']);
    expect(await idsOf({ q: '-state:waiting -http_status:404' })).to.deep.equal(['cancelled', 'delivered', 'delivering']);
    expect(await idsOf({ error_code: 'http_client_error' })).to.deep.equal(['dead_lettered', 'dead_lettering', 'parked', 'retrying']);
    expect(await idsOf({ attempts: '2' })).to.deep.equal(['dead_lettered']);
    expect(await idsOf({ attempts: '1', state: 'delivered' })).to.deep.equal(['delivered']);
    expect(await idsOf({ dead_reason: '*' })).to.deep.equal(['dead_lettered', 'dead_lettering', 'parked']);
    expect(await idsOf({ destination: `${receiver.url('/404')}?a=1` })).to.deep.equal(['dead_lettered', 'dead_lettering', 'parked', 'retrying']);
    expect(await idsOf({ destination_key: new URL(receiver.url('/')).origin })).to.deep.equal([...states].sort());
    expect(await idsOf({ finished_at: '>-1h' })).to.deep.equal(['cancelled', 'dead_lettered', 'delivered', 'parked']);
    expect(await idsOf({ next_attempt_at: '>+30m' })).to.deep.equal(['retrying', 'scheduled']);
    expect(await idsOf({ q: '-finished_at:*' })).to.deep.equal(['dead_lettering', 'delivering', 'retrying', 'scheduled']);
    expect((await count({ by: 'state' })).groups).to.have.deep.members(states.map((value) => ({ value, count: 1 })));

    await call(service.baseUrl, '/tasks/parked', { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"flow_key":"tenant-7","is_priority":true}' });
    const [edited] = await list({ id: 'parked' });
    expect(edited).to.include({ edits: 1, flow_key: 'tenant-7', is_priority: true, error_code: 'http_client_error' });
    expect((await get('/tasks/parked', {})).body).to.deep.include(edited);

    receiver.on('/404', { kind: 'hang' });
    await retryNow(service.baseUrl, 'parked');
    await eventually(async () => { expect((await list({ id: 'parked' }))[0]).to.include({ state: 'delivering', run: 2, error_code: null, http_status: null, dead_reason: null, finished_at: null, attempts: 0 }); });
    expect(await idsOf({ error_code: 'http_client_error' }), 'the failure of the run before').to.not.include('parked');
    expect(await idsOf({ updated_at: '>-1h' })).to.deep.equal([...states].sort());
  });

  it('find a text exactly, by each way to write it', async () => {
    const clients = ['a,b', 'a', 'b', 'x*', 'x*y', 'xzy', 'C:\\new', 'a"b', 'end\\', '\\*', 'a+b&c#d%', 'OR', ' padded ', 'Acme', 'acme', '>1', '日本'];
    await submitAll(clients.map((client, nth) => task(`n${nth}`, { client_id: client })));
    for (const [nth, client] of clients.entries()) {
      const quoted = `"${client.replace(/["\\]/g, '\\$&')}"`;
      expect(await idsOf({ client_id: quoted }), client).to.deep.equal([`n${nth}`]);
      expect(await idsOf({ q: `client_id:${quoted}` }), client).to.deep.equal([`n${nth}`]);
      expect(await idsOf({ q: `client_id:${quoted}*` }), client).to.include(`n${nth}`);
      expect((await count({ client_id: quoted })).count, client).to.equal(1);
    }
    expect(await idsOf({ client_id: 'a,b' })).to.deep.equal(['n1', 'n2']);
    expect(await idsOf({ client_id: 'x*' })).to.deep.equal(['n3', 'n4', 'n5']);
    expect(await idsOf({ q: 'client_id:x* -client_id:"x*"' })).to.deep.equal(['n4', 'n5']);
  });

  it('find an id by itself, by its beginning, and by a list of ids', async () => {
    const names = ['order/1', 'order/2', 'Order/1', 'a:b', 'ü', 'wait', '100%', 'a.b', 'a-b'];
    await submitAll(names.map((id) => task(id)));
    for (const id of names) expect(await idsOf({ id: JSON.stringify(id) }), id).to.deep.equal([id]);
    expect(await idsOf({ q: 'order/' })).to.deep.equal(['order/1', 'order/2']);
    expect(await idsOf({ q: '"a:"' })).to.deep.equal(['a:b']);
    expect(await idsOf({ id: 'a*' })).to.deep.equal(['a-b', 'a.b', 'a:b']);
    const look = await page({ id: 'order/1,none,ü,wait', limit: '2' });
    expect(look).to.include({ scanned: 3, not_read: 0, is_complete: true });
    expect(look.tasks).to.have.lengthOf(2);
    expect(await idsOf({ id: 'order/1,none,ü,wait', limit: '2' })).to.deep.equal(['order/1', 'wait', 'ü']);
    expect(await idsOf({ q: 'id:order/1,ü state:parked' })).to.deep.equal([]);
    expect(await count({ id: 'order/1,none,ü' })).to.deep.include({ count: 2, scanned: 2, is_exact: true });
  });

  it('look into messages, and leave their numbers as they are', async () => {
    const big = '12345678901234567891';
    const messages: Readonly<Record<string, string>> = {
      number: `{"order":{"id":1001},"big":${big}}`,
      text: '{"order":{"id":"1001"},"items":[{"sku":"A-1"},{"sku":"B-2"}]}',
      escaped: String.raw`{"order":{"id":"\u0031001"},"a.b":{"c":true,"":null}}`,
      near: `{"order":{"id":10010},"big":${big.slice(0, -1)}2,"other":1001}`,
      twice: '{"order":{"id":1001,"id":7}}',
      none: 'order id 1001',
      large: JSON.stringify({ order: { id: 1_001 }, padding: 'x'.repeat(300_000) }),
    };
    await submitAll(Object.entries(messages).map(([id, message]) => task(id, { message_data: message })));
    expect(await idsOf({ 'data.order.id': '1001' })).to.deep.equal(['escaped', 'number', 'text']);
    expect(await page({ 'data.order.id': '1001' })).to.include({ scanned: 7, not_read: 1 });
    expect(await count({ q: 'data.order.id:1001', by: 'client_id' })).to.deep.include({ count: 3, not_read: 1, is_exact: false, groups: [{ value: 'team-a', count: 3 }] });
    expect(await idsOf({ q: 'data.order.id:100*' })).to.deep.equal(['escaped', 'near', 'number', 'text']);
    expect(await idsOf({ q: `data.big:${big}` })).to.deep.equal(['number']);
    expect(await idsOf({ q: 'data.items.1.sku:B-2' })).to.deep.equal(['text']);
    expect(await idsOf({ q: 'data.items.length:2' })).to.deep.equal([]);
    expect(await idsOf({ q: 'data."a.b".c:true data."a.b"."":null' })).to.deep.equal(['escaped']);
    expect(await idsOf({ q: '-data.order.id:1001' }), 'one that is no JSON says nothing').to.deep.equal(['near', 'twice']);
    expect(await idsOf({ q: 'data.order.id:7' })).to.deep.equal(['twice']);
    expect(await idsOf({ q: 'data.items:* client_id:team-a' })).to.deep.equal(['text']);
    // Messages that are all short are read together.
    await cancel(service.baseUrl, 'large');
    for (const [q, expected] of [['data.order.id:1001', ['escaped', 'number', 'text']], ['data.order.id:1001,7', ['escaped', 'number', 'text', 'twice']], ['data.order.id:1001 data.other:1001', []], ['data.other:1001', ['near']], ['data.order.id:100*', ['escaped', 'near', 'number', 'text']], ['data.order.id:none', []]] as const) {
      expect(await idsOf({ q: `state:waiting ${q}` }), q).to.deep.equal(expected);
      expect(await count({ q: `state:waiting ${q}` }), q).to.deep.include({ count: expected.length, scanned: 6, not_read: 0, is_exact: true });
    }
  });

  it('give each task once, however many share a time, with pages of any size, in both orders', async () => {
    const names = ids('same', 1_200);
    await submitAll(names.map((id) => task(id)));
    await park(names.slice(0, 700), 1_700_000_000_000, await shard());
    for (const [limit, order] of [['7', 'newest'], ['7', 'oldest'], ['100', 'newest'], ['1000', 'oldest']] as const) {
      const parked = await list({ state: 'parked', limit, order });
      expect(parked.map(({ id }) => id), `${limit} ${order}`).to.deep.equal(order === 'oldest' ? names.slice(0, 700) : names.slice(0, 700).reverse());
      const all = await list({ limit, order, client_id: 'team-a' });
      expect(all.map(({ id }) => id).sort()).to.deep.equal(names);
    }
    const scheduled = (await list({ state: 'scheduled', order: 'oldest' })).map(({ next_attempt_at: at }) => String(at));
    expect(scheduled).to.deep.equal([...scheduled].sort()).and.have.lengthOf(500);
    expect(await count({})).to.deep.include({ count: 1_200, scanned: 1_200, is_exact: true, next_cursor: null });
  });

  it('end with null, or with one empty page more', async () => {
    await submitAll(ids('match', 100).map((id) => task(id, { client_id: 'few' })));
    await submitAll(ids('other', 3_000).map((id) => task(id, { initial_delay: 7_200 })));
    for (const limit of ['50', '100', '1000']) {
      const pages: number[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const found: TaskPage = await page({ client_id: 'few', limit, ...(cursor === undefined ? {} : { cursor }) });
        pages.push(found.tasks.length);
        cursor = found.next_cursor;
      }
      expect(pages.reduce((sum, each) => sum + each)).to.equal(100);
      expect(pages.filter((each) => each === 0).length).to.be.at.most(1);
    }
  });

  it('give each task that stays once, and no task twice, while thousands move', async () => {
    const stays = ids('stays', 2_000);
    await submitAll(stays.map((id) => task(id)));
    await submitAll(ids('moves', 3_000).map((id, nth) => httpTask(receiver.url(nth % 2 === 0 ? '/ok' : '/fails'), { id, max_retries: 2, base_delay: 0.05, initial_delay: (nth % 40) / 20 })));
    receiver.on('/fails', { kind: 'answer', status: 500 });
    await park(stays.slice(0, 1_000), Date.now(), await shard());
    await service.startWorker();
    const redriven = new Set<string>();
    const between = async (): Promise<void> => {
      const dead = (await page({ state: 'dead_lettered,parked', id: 'moves*', limit: '20' })).tasks;
      for (const { id } of dead) {
        redriven.add(id);
        await retryNow(service.baseUrl, id);
      }
    };
    for (const order of ['newest', 'oldest']) {
      const seen = (await list({ limit: '200', order }, between)).map(({ id }) => id);
      expect(new Set(seen).size, 'no task twice').to.equal(seen.length);
      expect(seen.filter((id) => id.startsWith('stays')).sort()).to.deep.equal(stays);
    }
    expect(receiver.requests.length, 'tasks moved').to.be.greaterThan(100);
  });

  it('count by a field, those without a value too, and add up', async () => {
    const names = ids('n', 300);
    await submitAll(names.map((id, nth) => task(id, { source: `s${nth % 7}` })));
    const at = await shard();
    await park(names.slice(0, 120), 1_700_000_000_000, at);
    await park(names.slice(120, 200), 1_700_000_000_001, at, { code: 'timed_out', status: '' });
    for (const by of ['state', 'destination_key', 'client_id', 'source', 'error_code', 'http_status']) {
      const { count: all, groups = [] } = await count({ by });
      expect(all, by).to.equal(300);
      expect(groups.reduce((sum, group) => sum + group.count, 0), by).to.equal(300);
      for (const { value, count: size } of groups) {
        expect((await count(value === null ? { q: `-${by}:*` } : { [by]: String(value) })).count, `${by} ${String(value)}`).to.equal(size);
      }
    }
    expect((await count({ by: 'http_status', state: 'parked' })).groups).to.deep.equal([{ value: 500, count: 120 }, { value: null, count: 80 }]);
  });

  it('show the largest 1,000 groups, in counts and dry runs, and add up what is beyond them', async () => {
    await submitAll(ids('t', 1_010).map((id, nth) => task(id, { destination: { url: `http://127.0.0.1:9/${nth < 20 ? 'many' : nth}` } })));
    const { groups = [], ...counted } = await count({ by: 'destination_key' });
    expect(counted).to.include({ count: 1_010, is_exact: true });
    expect([groups.length, groups[0]]).to.deep.equal([991, { value: 'http://127.0.0.1:9/many', count: 20 }]);
    await submitAll(ids('u', 20).map((id, nth) => task(id, { destination: { url: `http://127.0.0.1:9/more-${nth}` } })));
    const more = await count({ by: 'destination_key' });
    const dry = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action: 'send_now', filter: { state: 'waiting' }, dry_run: true }) });
    for (const shown of [more.groups, dry.body['by_destination_key'] as typeof groups]) {
      expect(shown?.slice(0, 2)).to.deep.equal([{ value: 'http://127.0.0.1:9/many', count: 20 }, { value: null, count: 11 }]);
      expect(shown).to.have.lengthOf(1_001);
    }
  });

  it('count, show and list all of 25,000 parked tasks, however many a page or a step has', async () => {
    const names = ids('many', 25_000);
    await submitAll(names.map((id) => task(id)));
    await park(names, 1_700_000_000_000, await shard());
    // A request works for a second and a half, which a slow machine may need for a part of them.
    const inParts = async (ask: (cursor: object) => Promise<Readonly<Record<string, unknown>>>, name: string): Promise<unknown> => {
      let sum = 0;
      for (let cursor: unknown; cursor !== null; ) {
        const part = await ask(cursor === undefined ? {} : { cursor });
        sum += Number(part[name]);
        cursor = part['next_cursor'];
        if (cursor === null) return [sum, part['is_exact']];
      }
      return sum;
    };
    expect(await inParts(async (cursor) => (await get('/counts', { state: 'parked', ...cursor })).body, 'count')).to.deep.equal([25_000, true]);
    const dryRun = async (cursor: object): Promise<Readonly<Record<string, unknown>>> => (await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action: 'redrive', filter: { state: 'parked' }, dry_run: true, ...cursor }) })).body;
    expect(await inParts(dryRun, 'matched')).to.deep.equal([25_000, true]);
    const listed = await list({ state: 'parked', limit: '1000', order: 'oldest' });
    expect(listed.map(({ id }) => id)).to.deep.equal(names);
  });

  it('say what they could not read, and pass over what is no task', async () => {
    await submitAll(ids('whole', 4).map((id) => task(id)));
    await submitAll(ids('gone', 3).map((id) => task(id)));
    const { keys } = await shard();
    for (const id of ids('gone', 3)) await service.redis.del(keys.job(id));
    await service.redis.set(keys.job('text'), 'no hash');
    await service.redis.zadd(keys.delayed, 1, 't-text', 'inf', 't-without-hash', '-inf', '0:1000', 5, 'foreign', 6, 't-a%2fb');
    await service.redis.lpush(keys.wait, '0:1000', 'x');
    await service.redis.lpush(keys.active, '0:1000');
    await service.redis.zadd(keys.failed, 'inf', 'x');
    expect(await count({})).to.deep.include({ count: 4, scanned: 9, not_read: 5, is_exact: false });
    for (const order of ['newest', 'oldest']) {
      for (const limit of ['1', '100']) expect((await list({ order, limit })).map(({ id }) => id).sort()).to.deep.equal(ids('whole', 4));
    }
    expect(await page({})).to.include({ scanned: 9, not_read: 5 });
    expect(await page({ id: 'gone-00000' })).to.include({ scanned: 0, not_read: 0 });
  });

  it('find due priority tasks page by page, before the others, and among them one that was made due', async () => {
    const [normal, urgent] = [ids('normal', 12), ids('urgent', 12)];
    await submitAll([...normal.map((id) => task(id, { initial_delay: 0 })), ...urgent.map((id) => task(id, { initial_delay: 0, is_priority: true })), task('later', { is_priority: true })]);
    const { keys } = await shard();
    expect(await service.redis.llen(keys.wait)).to.equal(0);
    await retryNow(service.baseUrl, 'later');
    expect(await service.redis.hexists(keys.job('later'), jobField.movedAt), 'its update shows').to.equal(1);
    for (const limit of ['5', '100']) expect((await list({ state: 'waiting', order: 'oldest', limit })).map(({ id }) => id), limit).to.deep.equal([...urgent, 'later', ...normal]);
    expect(await count({ state: 'scheduled' })).to.deep.include({ count: 25, is_exact: true });
  });

  it('find tasks of 0.1.0, which have no fields to search by, and write nothing', async () => {
    const stored = await tasksOf010('http://127.0.0.1:9');
    const { keys } = await shard();
    const names = ids('old', 1_050);
    const pipeline = service.redis.pipeline();
    for (const [nth, id] of names.entries()) {
      const kind = nth % 3 === 0 ? 'parked' : 'retrying';
      pipeline.hset(keys.job(id), stored(kind, id));
      if (kind === 'parked') pipeline.zadd(keys.failed, 1_795_539_397_469, jobIdOf(id));
      else pipeline.zadd(keys.delayed, 1_795_539_997_477 * 4_096 + nth, jobIdOf(id));
    }
    await pipeline.exec();
    await submitAll(ids('new', 5).map((id) => task(id)));
    expect((await count({ by: 'state' })).groups).to.have.deep.members([{ value: 'retrying', count: 700 }, { value: 'parked', count: 350 }, { value: 'scheduled', count: 5 }]);
    expect(await count({ error_code: 'http_server_error', http_status: '500' })).to.deep.include({ count: 1_050, is_exact: true, not_read: 0 });
    expect((await list({ client_id: 'team-a', order: 'oldest', limit: '100' })).map(({ id }) => id).sort()).to.deep.equal([...ids('new', 5), ...names].sort());
    expect((await list({ state: 'parked', limit: '1' }))[0]).to.include({ state: 'parked', http_status: 500, dead_reason: 'retries_exhausted', attempts: 1, destination_key: 'http://127.0.0.1:9/hook', message_bytes: 11, is_priority: true });
    expect(await idsOf({ q: 'data.order:1042 id:old-0000*' })).to.deep.equal(ids('old', 10).filter((_id, nth) => nth % 3 !== 0));
    expect(await service.redis.hexists(keys.job('old-00001'), jobField.search)).to.equal(0);
  });

  it('refuse what they cannot read, with a code and a position', async () => {
    await submitAll(ids('n', 3).map((id) => task(id)));
    const { next_cursor: cursor } = await page({ limit: '1', state: 'scheduled' });
    if (cursor === null) throw new Error('no cursor');
    const half = Math.floor(cursor.length / 2);
    const changed = [...cursor].map((letter, nth) => `${cursor.slice(0, nth)}${letter === 'A' ? 'B' : 'A'}${cursor.slice(nth + 1)}`);
    const cases: readonly (readonly [string, number, string, string, number | undefined])[] = [
      ['/tasks?client_id=', 400, 'invalid_query', 'client_id', 0],
      ['/counts?q=', 400, 'invalid_query', 'q', 0],
      ['/tasks?q=state:parked%20(x)', 400, 'invalid_query', 'q', 13],
      ['/tasks?created_at=>2026-11-28T10:00:00+02:00', 400, 'invalid_query', 'created_at', 1],
      ['/tasks?clientid=a', 400, 'invalid_request', 'clientid', undefined],
      ['/tasks?state=parked&state=delivered', 400, 'invalid_request', 'state', undefined],
      ['/tasks?data.=1', 400, 'invalid_query', 'data.', 1],
      ['/tasks?limit=0', 400, 'invalid_request', 'limit', undefined],
      ['/tasks?order=random', 400, 'invalid_request', 'order', undefined],
      ['/counts?by=id', 400, 'invalid_request', 'by', undefined],
      ['/counts?limit=3', 400, 'invalid_request', 'limit', undefined],
      [`/tasks?state=scheduled,retrying&cursor=${cursor}`, 400, 'invalid_cursor', 'cursor', undefined],
      [`/tasks?state=scheduled&order=oldest&cursor=${cursor}`, 400, 'invalid_cursor', 'cursor', undefined],
      [`/counts?state=scheduled&cursor=${cursor}`, 400, 'invalid_cursor', 'cursor', undefined],
      [`/tasks?state=scheduled&cursor=${cursor.slice(0, half)}`, 400, 'invalid_cursor', 'cursor', undefined],
      ['/tasks?cursor=bnVsbA', 400, 'invalid_cursor', 'cursor', undefined],
      ['/tasks?cursor=', 400, 'invalid_cursor', 'cursor', undefined],
      ...changed.map((each) => [`/tasks?state=scheduled&cursor=${each}`, 400, 'invalid_cursor', 'cursor', undefined] as const),
    ];
    for (const [path, status, code, field, position] of cases) {
      const answer = await call(service.baseUrl, path);
      expect(answer.status, path).to.equal(status);
      expect(answer.body, path).to.include({ code });
      const [detail] = answer.body['details'] as readonly { readonly field: string; readonly position?: number }[];
      expect(detail?.field, path).to.equal(field);
      expect(detail?.position, path).to.equal(position);
    }
    expect((await page({ q: 'state:scheduled', limit: '2', cursor })).tasks, 'the same filter in other words').to.have.lengthOf(2);
  });

  it('reckon relative times from the first page on', async () => {
    await submitAll(ids('n', 40).map((id) => task(id, { initial_delay: 100 })));
    const query = { q: 'next_attempt_at:>+95s', limit: '3' };
    const { tasks, next_cursor: cursor } = await page(query);
    expect(tasks).to.have.lengthOf(3);
    await eventually(async () => { expect((await page(query)).tasks).to.deep.equal([]); }, { withinMs: 30_000 });
    expect((await page({ ...query, limit: '100', cursor: cursor ?? '' })).tasks).to.have.lengthOf(37);
  });
});

describe('GET /tasks over 16 shards', () => {
  beforeEach(async () => {
    service = await InProcessService.ready({ shards: 16 });
  });
  afterEach(() => service.close());

  it('has one order in each state, and gives each task once', async () => {
    const names = ids('n', 1_500);
    await submitAll(names.map((id, nth) => task(id, { client_id: nth % 100 === 0 ? 'rare' : 'common' })));
    const shards = await service.queue.shards();
    for (const [nth, id] of names.slice(0, 600).entries()) {
      const at = shards[shardOf(id, 16)];
      if (at !== undefined) await park([id], 1_700_000_000_000 + Math.floor(nth / 100), at);
    }
    for (const limit of ['1', '33', '1000']) {
      const rare = await list({ state: 'parked', client_id: 'rare', order: 'oldest', limit });
      expect(rare.map(({ id }) => id), limit).to.deep.equal(names.slice(0, 600).filter((_id, nth) => nth % 100 === 0));
    }
    const parked = await list({ state: 'parked', limit: '77' });
    expect(parked.map(({ id }) => id)).to.deep.equal(names.slice(0, 600).reverse());
    const all = await list({ limit: '50' });
    expect(all.map(({ id }) => id).sort()).to.deep.equal(names);
    expect(await count({ by: 'client_id' })).to.deep.include({ count: 1_500, scanned: 1_500, is_exact: true, groups: [{ value: 'common', count: 1_485 }, { value: 'rare', count: 15 }] });
    expect(await idsOf({ id: names.slice(0, 20).join(','), limit: '3' })).to.deep.equal(names.slice(0, 20));
  });
});
