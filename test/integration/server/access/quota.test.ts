import { expect } from 'chai';

import { ADMIN_KEY, callWith, makeKey, type TestKey } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId, type Answer, type WireTask } from '../../../support/tasks.js';

describe('the quota of a client', function () {
  this.timeout(60_000);

  let service: InProcessService;

  before(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, shards: 3 }); });
  after(() => service.close());

  const admin = (method: string, path: string, body?: unknown): Promise<Answer> => callWith(ADMIN_KEY, service.baseUrl, path, { method, body });
  const keyOf = (client: string, quota: number): Promise<TestKey> => makeKey(service.baseUrl, { role: 'operate', client_ids: [client], quota });
  const taskOf = (client: string): WireTask => httpTask('http://127.0.0.1:9/hook', { client_id: client, initial_delay: 3_600 });
  const send = (key: string, body: WireTask, headers?: Readonly<Record<string, string>>, url = service.baseUrl): Promise<Answer> => callWith(key, url, '/tasks', { method: 'POST', body, ...(headers === undefined ? {} : { headers }) });

  it('takes as many tasks as it says and not one more, whoever sends it, and takes one again when one has ended', async () => {
    const client = uniqueId('client');
    const { key } = await keyOf(client, 3);
    const tasks = Array.from({ length: 3 }, () => taskOf(client));
    for (const task of tasks) expect((await send(key, task)).status).to.equal(201);
    const [first, second] = tasks as [WireTask, WireTask];
    for (const sender of [key, ADMIN_KEY]) {
      const refused = await send(sender, taskOf(client));
      expect([refused.status, refused.body['code'], refused.headers.get('retry-after')]).to.deep.equal([429, 'quota_exceeded', '5']);
      expect(refused.body['error']).to.equal(`the client "${client}" has as many tasks as its quota allows; nothing was stored`);
    }
    expect((await send(ADMIN_KEY, taskOf(uniqueId('client')))).status, 'another client').to.equal(201);
    expect((await send(key, first)).body, 'a repetition needs no room').to.include({ is_duplicate: true });
    expect((await send(key, { ...first, max_retries: 1 })).body).to.include({ code: 'conflict' });

    await callWith(key, service.baseUrl, `/tasks/${first.id}`, { method: 'DELETE' });
    await eventually(async () => { expect((await send(key, first, { 'idempotency-key': 'again' })).body).to.include({ run: 2 }); });
    await callWith(key, service.baseUrl, `/tasks/${second.id}`, { method: 'DELETE' });
    await eventually(async () => { expect((await send(key, taskOf(client))).status).to.equal(201); });
    expect((await send(key, second)).body, 'one that has ended would be a new run').to.include({ code: 'quota_exceeded' });
    expect((await admin('GET', `/tasks/${second.id}`)).body, 'its record is as it was').to.include({ state: 'cancelled', run: 1 });
  });

  it('refuses the tasks of a batch that are beyond it, and stores those before them', async () => {
    const client = uniqueId('client');
    const { key } = await keyOf(client, 4);
    const other = uniqueId('client');
    const tasks = [...Array.from({ length: 6 }, () => taskOf(client)), taskOf(other)];
    const { status, body } = await callWith(ADMIN_KEY, service.baseUrl, '/tasks/batch', { method: 'POST', body: tasks });
    expect(status).to.equal(207);
    expect((body['results'] as { status: number; code?: string }[]).map((each) => each.code ?? each.status)).to.deep.equal([201, 201, 201, 201, 'quota_exceeded', 'quota_exceeded', 201]);
    expect((await send(key, taskOf(client))).status).to.equal(429);
  });

  it('lets many callers at once take what there is, and no more', async () => {
    const client = uniqueId('client');
    const { key } = await keyOf(client, 10);
    const answers = await Promise.all(Array.from({ length: 40 }, () => send(key, taskOf(client))));
    expect(answers.filter(({ status }) => status === 201)).to.have.lengthOf(10);
    expect(answers.filter(({ body }) => body['code'] === 'quota_exceeded')).to.have.lengthOf(30);
  });

  it('is gone beyond by several processes by no more than what each lets in before it hears of the others', async () => {
    const other = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, shards: 3, prefix: service.prefix });
    try {
      const client = uniqueId('client');
      const { key } = await keyOf(client, 10);
      await eventually(async () => { expect((await callWith(key, other.baseUrl, '/counts')).status).to.equal(200); });
      await Promise.all([service, other].flatMap(({ baseUrl }) => Array.from({ length: 30 }, () => send(key, taskOf(client), undefined, baseUrl))));
      const { count } = (await callWith(key, service.baseUrl, '/counts')).body as { count: number };
      expect(count).to.be.within(10, 20);
      await eventually(async () => { for (const { baseUrl } of [service, other]) expect((await send(key, taskOf(client), undefined, baseUrl)).body).to.include({ code: 'quota_exceeded' }); });
    } finally {
      await other.close();
    }
  });

  it('is set, changed and taken away with the key; the lowest one holds', async () => {
    const client = uniqueId('client');
    const [wide, narrow] = [await keyOf(client, 5), await keyOf(client, 1)];
    expect((await send(wide.key, taskOf(client))).status).to.equal(201);
    expect((await send(wide.key, taskOf(client))).body).to.include({ code: 'quota_exceeded' });
    expect((await admin('PATCH', `/keys/${narrow.id}`, { quota: 2 })).body).to.include({ quota: 2 });
    expect((await send(wide.key, taskOf(client))).status).to.equal(201);
    expect((await send(wide.key, taskOf(client))).body).to.include({ code: 'quota_exceeded' });
    await admin('DELETE', `/keys/${narrow.id}`);
    expect((await send(wide.key, taskOf(client))).status).to.equal(201);
    expect((await admin('PATCH', `/keys/${wide.id}`, { quota: null })).body).to.include({ quota: null });
    for (let nth = 0; nth < 3; nth += 1) expect((await send(wide.key, taskOf(client))).status).to.equal(201);
  });

  it('is a whole number from one on, of a key that is bound to clients', async () => {
    const body = { name: 'x', role: 'operate', client_ids: ['c'] };
    for (const quota of [0, -1, 1.5, 1_000_000_001, '5', true]) expect((await admin('POST', '/keys', { ...body, quota })).body, String(quota)).to.include({ code: 'invalid_request' });
    expect((await admin('POST', '/keys', { ...body, quota: 1_000_000_000 })).status).to.equal(201);
    const { body: refused } = await admin('POST', '/keys', { ...body, client_ids: null, quota: 5 });
    expect(refused).to.deep.include({ details: [{ field: 'quota', message: 'quota is that of each client in client_ids, so it needs client_ids' }] });
    const { id } = await keyOf('c', 1);
    expect((await admin('PATCH', `/keys/${id}`, { client_ids: null })).body).to.include({ code: 'invalid_request' });
    await admin('DELETE', `/keys/${id}`);
  });
});
