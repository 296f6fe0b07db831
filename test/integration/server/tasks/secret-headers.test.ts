import { randomBytes } from 'node:crypto';
import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../../../shared/queue/names.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submit, submitNew, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;
const [K1, K2] = [key('k1'), key('k2')];
const SECRET = 'mark-of-a-secret-4711';
const MARKS = [SECRET, Buffer.from(SECRET).toString('base64').replace(/=+$/, ''), Buffer.from(`Bearer ${SECRET}`).toString('base64').replace(/=+$/, '')];
const headers = { Authorization: `Bearer ${SECRET}`, 'X-Tenant': 'tenant-secret-7' };

function json(method: string, body: unknown): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

describe('headers, method and content type of HTTP destinations', () => {
  let service: InProcessService;
  let receiver: Receiver;
  const log = new CollectedLog();

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ secretsKeys: `${K2},${K1}`, log });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const later = (path: string, changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url(path), { destination: { url: receiver.url(path), headers }, initial_delay: 3_600, ...changes });
  const patch = (id: string, body: unknown): Promise<Answer> => call(service.baseUrl, `/tasks/${id}`, json('PATCH', body));
  const retry = (id: string): Promise<Answer> => call(service.baseUrl, `/tasks/${id}/retry`, { method: 'POST' });

  async function storedJob(id: string): Promise<Record<string, string>> {
    const [shard] = await service.queue.shards();
    return service.redis.hgetall(shard?.keys.job(id) ?? '');
  }

  it('are sent as they were submitted, with the message unchanged', async () => {
    const destination = { url: receiver.url('/whole?x=1'), method: 'PUT', content_type: 'text/plain; charset=utf-8', headers: { ...headers, 'User-Agent': 'orders/7', 'x-empty': '' } };
    const task = httpTask('', { destination, message_data: 'plain text ä' });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    const [request] = receiver.requestsTo('/whole');
    expect([request?.method, request?.body.toString()]).to.deep.equal(['PUT', 'plain text ä']);
    expect(request?.headers).to.include({ authorization: `Bearer ${SECRET}`, 'x-tenant': 'tenant-secret-7', 'user-agent': 'orders/7', 'x-empty': '', 'content-type': 'text/plain; charset=utf-8' });
  });

  it('go to the dead destination as well', async () => {
    receiver.on('/failing', { kind: 'answer', status: 500 });
    const task = httpTask(receiver.url('/failing'), { dead_destination: { url: receiver.url('/dead'), method: 'PATCH', headers } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    const [letter] = receiver.requestsTo('/dead');
    expect([letter?.method, letter?.headers['authorization']]).to.deep.equal(['PATCH', `Bearer ${SECRET}`]);
  });

  it('are shown and stored nowhere in the clear, also when the receiver quotes them', async () => {
    receiver.on('/quoting', ({ headers: sent }) => ({ kind: 'answer', status: 400, body: `bad ${sent['authorization'] ?? ''} ${MARKS.join(' ')} for tenant-secret-7` }));
    const task = httpTask('', { destination: { url: receiver.url('/quoting'), headers }, on_exhausted: 'park' });
    await submitNew(service.baseUrl, task);
    const shown = await waitForState(service.baseUrl, task.id, 'parked');
    expect(shown.timeline[0]?.error).to.match(/^http_client_error: HTTP 400: bad \*\*\*/);
    await patch(task.id, { max_retries: 1 });
    const board = `${service.baseUrl}/admin/queues/api/queues/deliver-0/${encodeURIComponent(jobIdOf(task.id))}`;
    const submission = await call(service.baseUrl, `/tasks/${task.id}/submission`);
    expect(submission.body['destination']).to.deep.equal({ url: receiver.url('/quoting'), headers: { Authorization: '***', 'X-Tenant': '***' } });
    const texts = {
      task: JSON.stringify(await getTask(service.baseUrl, task.id, '?include=message_data')),
      submission: JSON.stringify(submission.body),
      list: JSON.stringify((await call(service.baseUrl, `/tasks?id=${task.id}`)).body),
      board: await (await fetch(board)).text(),
      audit: JSON.stringify((await call(service.baseUrl, `/audit?target=${task.id}`)).body),
      redis: JSON.stringify(await storedJob(task.id)),
      log: service.log,
    };
    for (const [where, text] of Object.entries(texts)) {
      for (const mark of [...MARKS, 'tenant-secret-7']) expect(text, where).to.not.contain(mark);
      expect(text, where).to.contain(task.id);
    }
  });

  it('make no conflict of a repeat, and one of another value', async () => {
    const task = later('/repeat');
    await submitNew(service.baseUrl, task);
    const before = (await storedJob(task.id))[jobField.data];
    expect((await submit(service.baseUrl, { ...task, destination: { ...task.destination, method: 'POST', content_type: 'application/json', headers: { 'x-tenant': 'tenant-secret-7', authorization: `Bearer ${SECRET}` } } })).status).to.equal(200);
    const other = await submit(service.baseUrl, { ...task, destination: { ...task.destination, headers: { ...headers, 'X-Tenant': 'another' } } });
    expect([other.status, other.body['code']]).to.deep.equal([409, 'conflict']);
    expect((await storedJob(task.id))[jobField.data]).to.equal(before);
  });

  it('are kept where PATCH sends *** back, as long as scheme, host and port stay', async () => {
    const task = later('/patched');
    await submitNew(service.baseUrl, task);
    const kept = await patch(task.id, { destination: { url: receiver.url('/patched-2'), headers: { authorization: '***', 'X-Tenant': 'new' } } });
    expect(kept.status, JSON.stringify(kept.body)).to.equal(200);
    // Nothing differs.
    expect((await patch(task.id, { destination: { url: receiver.url('/patched-2'), headers: { authorization: '***', 'X-Tenant': '***' } } })).body['edits']).to.equal(1);
    for (const destination of [
      { url: receiver.url('/x').replace('127.0.0.1', 'localhost'), headers: { Authorization: '***' } },
      { url: receiver.url('/x'), headers: { 'X-Other': '***' } },
    ]) {
      const refused = await patch(task.id, { destination });
      expect([refused.status, refused.body['code']]).to.deep.equal([400, 'invalid_task']);
      expect(JSON.stringify(refused.body)).to.contain('***').and.to.not.contain(SECRET);
    }
    await retry(task.id);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsTo('/patched-2')[0]?.headers).to.include({ authorization: `Bearer ${SECRET}`, 'x-tenant': 'new', 'x-retry-edit': '1' });
  });

  it('are refused at their limits, by name, without their values', async () => {
    const value = 'x'.repeat(100);
    const many = (count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, nth) => [`x-${nth}`, 'v']));
    const table: readonly (readonly [what: string, destination: object, fault: RegExp | undefined])[] = [
      ['32 headers', { headers: many(32) }, undefined],
      ['33 headers', { headers: many(33) }, /more than 32 headers/],
      ['8 KiB', { headers: { a: 'v'.repeat(8_191) } }, undefined],
      ['8 KiB and a byte', { headers: { a: 'v'.repeat(8_192) } }, /more than 8192 bytes/],
      ['the same name twice', { headers: { 'X-A': value, 'x-a': value } }, /same header twice/],
      ...['Connection', 'keep-alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Proxy-Authorization', 'HOST', 'Content-Length', 'Expect'].map((name) => [name, { headers: { [name]: value } }, /belongs to the connection/] as const),
      ...['x-retry-run', 'X-Message-Key', 'Webhook-Id'].map((name) => [name, { headers: { [name]: value } }, /this service writes it/] as const),
      ['Content-Type', { headers: { 'Content-Type': value } }, /use content_type/],
      ['a name with a space', { headers: { 'x a': value } }, /name of a header/],
      ['a line break', { headers: { 'x-a': `${value}\r\nx-b: 1` } }, /visible ASCII/],
      ['a space at the end', { headers: { 'x-a': `${value} ` } }, /visible ASCII/],
      ['a letter beyond ASCII', { headers: { 'x-a': `${value}ä` } }, /visible ASCII/],
      ['***', { headers: { 'x-a': '***' } }, /stands for a value that is not shown/],
      ['a method', { method: 'DELETE' }, /must be one of \[POST, PUT, PATCH\]/],
      ['a content type', { content_type: 'json' }, /media type/],
      ['two logins', { url: 'http://user:pass@127.0.0.1:9/', headers: { authorization: value } }, /both a user or password in url and a header Authorization/],
    ];
    for (const [what, destination, fault] of table) {
      const answer = await submit(service.baseUrl, later('/limits', { destination: { url: receiver.url('/limits'), ...destination } }));
      if (fault === undefined) {
        expect(answer.status, what).to.equal(201);
        continue;
      }
      expect([answer.status, answer.body['code']], what).to.deep.equal([400, 'invalid_task']);
      expect(String(answer.body['error']), what).to.match(fault).and.to.not.contain(value);
    }
  });

  it('of a bulk action are stored encrypted, too, and sent', async () => {
    receiver.on('/bulk-fails', { kind: 'answer', status: 500 });
    const task = httpTask(receiver.url('/bulk-fails'), { on_exhausted: 'park', max_retries: 0 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    const ask = (id: string, authorization = headers.Authorization, baseUrl = service.baseUrl): Promise<Answer> => call(baseUrl, '/bulk-actions', json('POST', { id, action: 'redrive', ids: [task.id], override: { destination: { url: receiver.url('/bulk-takes'), headers: { ...headers, Authorization: authorization } } } }));
    const made = await ask(`bulk-${task.id}`);
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    expect((await ask(`bulk-${task.id}`)).body).to.include({ is_duplicate: true });
    expect((await ask(`bulk-${task.id}`, 'Bearer another')).body).to.include({ code: 'conflict' });
    const withoutKey = await InProcessService.ready({ prefix: service.prefix, secretsKeys: K1 });
    try {
      expect(await ask(`bulk-${task.id}`, headers.Authorization, withoutKey.baseUrl)).to.deep.include({ status: 409 }).and.to.have.nested.property('body.code', 'conflict');
    } finally {
      await withoutKey.close();
    }
    expect(made.body['override']).to.deep.equal({ destination: { url: receiver.url('/bulk-takes'), headers: { Authorization: '***', 'X-Tenant': '***' } } });
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsTo('/bulk-takes')[0]?.headers['authorization']).to.equal(`Bearer ${SECRET}`);
    const found = await service.redis.keys(`${service.prefix}:bulk:action:*`);
    expect(found).to.have.length(1);
    const stored = JSON.stringify(await service.redis.hgetall(found[0] ?? ''));
    expect(stored).to.contain('k2.').and.to.not.contain(SECRET);
    await ask(`other-${task.id}`, 'Bearer another');
    const digests = await Promise.all((await service.redis.keys(`${service.prefix}:bulk:action:*`)).map((key) => service.redis.hget(key, 'digest')));
    expect(new Set(digests).size, 'a digest that depends on a secret would let it be guessed').to.equal(1);
    for (const path of [`/bulk-actions/bulk-${task.id}`, '/bulk-actions', `/audit?target=bulk-${task.id}`]) expect(JSON.stringify((await call(service.baseUrl, path)).body)).to.contain(task.id).and.to.not.contain(SECRET);
  });

  it('that belong to another task are not sent, and the log says so', async () => {
    const [one, other] = [later('/victim'), later('/thief')];
    await submitNew(service.baseUrl, one);
    await submitNew(service.baseUrl, other);
    const [shard] = await service.queue.shards();
    const sealedOf = async (id: string): Promise<string> => /"s":(\[.*?\]\s*,\s*"[^"]*"\])/.exec((await storedJob(id))[jobField.data] ?? '')?.[1] ?? '';
    const [own, foreign] = [await sealedOf(other.id), await sealedOf(one.id)];
    expect(own).to.contain('k2.');
    await service.redis.hset(shard?.keys.job(other.id) ?? '', jobField.data, ((await storedJob(other.id))[jobField.data] ?? '').replace(own, foreign));
    await retry(other.id);
    await eventually(() => expect(service.log.split('\n').find((line) => line.includes('cannot decrypt the headers') && line.includes(other.id))).to.contain('changed or moved'));
    expect(receiver.requestsTo('/thief')).to.have.length(0);
    // It is put back behind the line.
    await eventually(async () => { expect((await getTask(service.baseUrl, other.id)).state).to.equal('scheduled'); });
  });
});

describe('SECRETS_KEYS', () => {
  let receiver: Receiver;
  before(async () => (receiver = await createReceiver()));
  after(() => receiver.close());

  it('is needed in prod for headers of HTTP destinations alone', async () => {
    const service = await InProcessService.ready({ environment: 'prod', secretsKeys: '' });
    try {
      const refused = await submit(service.baseUrl, httpTask('', { destination: { url: receiver.url('/a'), headers }, dead_destination: { url: receiver.url('/a'), headers } }));
      expect([refused.status, refused.body['code']]).to.deep.equal([400, 'secrets_not_configured']);
      expect((refused.body['details'] as { field: string }[]).map(({ field }) => field)).to.deep.equal(['destination.headers', 'dead_destination.headers']);
      const task = httpTask('', { destination: { url: receiver.url('/a'), method: 'PUT' }, initial_delay: 3_600 });
      await submitNew(service.baseUrl, task);
      const edited = await call(service.baseUrl, `/tasks/${task.id}`, json('PATCH', { destination: { url: receiver.url('/a'), headers } }));
      expect(edited.body['code']).to.equal('secrets_not_configured');
      const bulk = await call(service.baseUrl, '/bulk-actions', json('POST', { action: 'redrive', ids: [task.id], override: { destination: { url: receiver.url('/a'), headers } } }));
      expect(bulk.body['code']).to.equal('secrets_not_configured');
      expect((await submit(service.baseUrl, httpTask('', { destination_type: 'kafka', destination: { topic: 'orders', headers }, dead_destination: { topic: 'dead' }, initial_delay: 3_600 }))).status).to.equal(201);
    } finally {
      await service.close();
    }
  });

  it('that a worker lacks leaves a task until one has it, and uses no attempt', async () => {
    const service = await InProcessService.ready({ secretsKeys: K1, release: { baseDelayMs: 50, maxDelayMs: 50 } });
    try {
      const lacking = await service.startWorker({ secretsKeys: K2 });
      const task = httpTask('', { destination: { url: receiver.url('/lacking'), headers } });
      await submitNew(service.baseUrl, task);
      await eventually(() => expect(service.log).to.match(new RegExp(`cannot decrypt the headers.*${jobIdOf(task.id)}.*key k1`)));
      await lacking.stop(0);
      expect(receiver.requestsTo('/lacking')).to.have.length(0);
      await service.startWorker({ secretsKeys: `${K2},${K1}` });
      const shown = await waitForState(service.baseUrl, task.id, 'delivered');
      expect(shown.attempt).to.equal(0);
      expect(receiver.requestsTo('/lacking')[0]?.headers['authorization']).to.equal(`Bearer ${SECRET}`);
    } finally {
      await service.close();
    }
  });
});
