import { expect } from 'chai';

import { ADMIN_KEY, callWith, makeKey } from '../../../support/access-keys.js';
import { credentialsPath, secretKey } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { signIn } from '../../../support/sign-in.js';
import { call, type Answer } from '../../../support/tasks.js';

/** Each at its limit and one above. The refusal names the variable in the log, and never to the caller. */
describe('how many of a kind callers may have', () => {
  const log = new CollectedLog();
  const settings = { MAX_ACCESS_KEYS: '5', MAX_QUOTA_CLIENTS: '2', MAX_CREDENTIALS: '2', MAX_SESSIONS_PER_KEY: '2', TEST_SENDS_PER_MINUTE: '2' };
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, secretsKeys: secretKey('k1'), settings, log });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });
  afterEach(async () => {
    for (const { id } of (await admin('GET', '/keys')).body['keys'] as { id: string }[]) await admin('DELETE', `/keys/${id}`);
  });

  const admin = (method: string, path: string, body?: unknown): Promise<Answer> => callWith(ADMIN_KEY, service.baseUrl, path, { method, body });
  /** Again and again: the log has five lines of refusals a second. */
  async function expectRefused(ask: () => Promise<Answer>, code: string, variable: string, from = service): Promise<void> {
    await eventually(async () => {
      const { status, body } = await ask();
      expect([status, body['code']]).to.deep.equal([code === 'invalid_request' ? 400 : 429, code]);
      expect(JSON.stringify(body)).to.not.include(variable);
      expect(from.log).to.include(`"limit":"${variable}"`);
    }, { everyMs: 200 });
  }

  it('access keys: one more is refused until one is deleted, and all others can be used and changed', async () => {
    const make = (): Promise<Answer> => admin('POST', '/keys', { name: 'x', role: 'read' });
    const { id, key } = await makeKey(service.baseUrl, { role: 'read' });
    for (let nth = 2; nth <= 5; nth += 1) expect((await make()).status, String(nth)).to.equal(201);
    await expectRefused(make, 'invalid_request', 'MAX_ACCESS_KEYS');
    expect((await callWith(key, service.baseUrl, '/stats')).status).to.equal(200);
    expect((await admin('PATCH', `/keys/${id}`, { name: 'renamed' })).status).to.equal(200);
    expect((await admin('POST', `/keys/${id}/rotate`, { overlap: 0 })).status).to.equal(200);
    expect((await admin('DELETE', `/keys/${id}`)).status).to.be.oneOf([200, 204]);
    expect((await make()).status).to.equal(201);
  });

  it('clients with a quota: no further one until one of them has none', async () => {
    const make = (client: string): Promise<Answer> => admin('POST', '/keys', { name: client, role: 'submit', client_ids: [client], quota: 5 });
    const first = String((await make('first')).body['id']);
    expect((await make('second')).status).to.equal(201);
    expect((await make('second')).status, 'a client that has one').to.equal(201);
    await expectRefused(() => make('third'), 'invalid_request', 'MAX_QUOTA_CLIENTS');
    expect((await admin('POST', '/keys', { name: 'no quota', role: 'submit', client_ids: ['third'] })).status).to.equal(201);
    expect((await admin('PATCH', `/keys/${first}`, { client_ids: ['first', 'third'] })).body).to.include({ code: 'invalid_request' });
    expect((await admin('PATCH', `/keys/${first}`, { client_ids: ['third'] })).status).to.equal(200);
  });

  it('clients with a quota, where the limit was lowered below what there is: keys can still be changed', async () => {
    const lower = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix, settings: { MAX_QUOTA_CLIENTS: '1' } });
    try {
      const { id } = await makeKey(service.baseUrl, { role: 'submit', client_ids: ['a', 'b'], quota: 5 });
      const patch = (body: unknown): Promise<Answer> => callWith(ADMIN_KEY, lower.baseUrl, `/keys/${id}`, { method: 'PATCH', body });
      expect((await patch({ name: 'renamed' })).status).to.equal(200);
      expect((await patch({ client_ids: ['a', 'b', 'c'] })).body).to.include({ code: 'invalid_request' });
    } finally {
      await lower.close();
    }
  });

  it('destinations with credentials: one more is refused, and those that are there can be changed', async () => {
    const store = (key: string, token: string | null = 't'): Promise<Answer> => admin('PATCH', credentialsPath(key), { bearer: token === null ? null : { token } });
    for (const key of ['https://a.example', 'https://b.example']) expect((await store(key)).status).to.equal(200);
    await expectRefused(() => store('https://c.example'), 'invalid_request', 'MAX_CREDENTIALS');
    expect((await store('https://a.example', 'other')).status).to.equal(200);
    expect((await store('https://a.example', null)).status).to.equal(200);
    expect((await store('https://c.example')).status).to.equal(200);
  });

  it('sessions of a key: the one that was used longest ago ends', async () => {
    const { key } = await makeKey(service.baseUrl, { role: 'read' });
    const sessions = [await signIn(service.baseUrl, key), await signIn(service.baseUrl, key)];
    const statuses = (): Promise<number[]> => Promise.all(sessions.map(async (session) => (await call(service.baseUrl, '/session', { headers: { ...session } })).status));
    expect(await statuses()).to.deep.equal([200, 200]);
    sessions.push(await signIn(service.baseUrl, key));
    expect(await statuses()).to.deep.equal([401, 200, 200]);
  });

  it('bulk actions that are unfinished, of all callers and of one key; the rest goes on, and room comes back when they end', async () => {
    let isFull = false;
    const idle = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, isRedisAboveMark: () => isFull, settings: { MAX_LIVE_BULK_ACTIONS: '3', MAX_LIVE_BULK_ACTIONS_PER_KEY: '2' } });
    try {
      const [one, other] = await Promise.all([1, 2].map(async () => (await makeKey(idle.baseUrl, { role: 'operate' })).key));
      const ask = (key = '', id?: string, asked: object = { action: 'send_now', ids: ['nobody'] }): Promise<Answer> => callWith(key, idle.baseUrl, '/bulk-actions', { method: 'POST', body: { id, ...asked } });
      for (const id of ['first', 'second']) expect((await ask(one, id)).status).to.equal(201);
      await expectRefused(() => ask(one), 'quota_exceeded', 'MAX_LIVE_BULK_ACTIONS_PER_KEY', idle);
      expect((await ask(other)).status).to.equal(201);
      await expectRefused(() => ask(other), 'quota_exceeded', 'MAX_LIVE_BULK_ACTIONS', idle);
      expect((await ask(one, 'first')).body, 'what was asked for before is told').to.include({ is_duplicate: true });
      await idle.startWorker();
      await eventually(async () => { expect((await ask(one, 'third')).status).to.equal(201); });

      isFull = true;
      const cancelOf = (ids: number): object => ({ action: 'cancel', ids: Array.from({ length: ids }, (_, nth) => `nobody-${nth}`), expected: ids, reason: 'room' });
      expect((await ask(other)).body).to.include({ code: 'redis_full' });
      expect((await ask(other, undefined, cancelOf(101))).body).to.include({ code: 'redis_full' });
      expect((await ask(one, 'third')).body).to.include({ is_duplicate: true });
      await eventually(async () => { expect((await ask(other, undefined, cancelOf(100))).status, 'it makes room').to.equal(201); });
    } finally {
      await idle.close();
    }
  });

  it('test sends of a key in a minute: each key has its own', async () => {
    const send = async (key: string): Promise<Answer> => callWith(key, service.baseUrl, '/test-sends', { method: 'POST', body: { destination_type: 'http', destination: { url: receiver.url('/test') } } });
    const [one, other] = await Promise.all([1, 2].map(() => makeKey(service.baseUrl, { role: 'operate', permissions: ['edit'] })));
    for (let nth = 0; nth < 2; nth += 1) expect((await send(one?.key ?? '')).status).to.equal(200);
    await expectRefused(() => send(one?.key ?? ''), 'rate_limited', 'TEST_SENDS_PER_MINUTE');
    expect((await send(other?.key ?? '')).status).to.equal(200);
  });
});
