import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';

import { CHECKED_EVERY_MS } from '../../../../server/http/request-context.js';
import { routeTable } from '../../../../server/route-table.js';
import { ADMIN_KEY, bearer, callWith, makeKey } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask } from '../../../support/tasks.js';

interface Upload {
  readonly sent: ClientRequest;
  readonly answer: Promise<{ readonly status: number | undefined; readonly body: Readonly<Record<string, unknown>> }>;
}

describe('an upload whose access key is revoked meanwhile', () => {
  let service: InProcessService;

  before(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY }); });
  after(() => service.close());

  const waiting = (): ReturnType<typeof httpTask> => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
  const isStored = async (id: string): Promise<boolean> => (await callWith(ADMIN_KEY, service.baseUrl, `/tasks/${id}`)).status === 200;

  function upload(path: string, type: string, key: string, { method = 'POST', headers = {} }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {}): Upload {
    const { hostname, port } = new URL(service.baseUrl);
    const sent = request({ hostname, port, path, method, headers: { 'content-type': type, ...bearer(key), ...headers } });
    // The service may end the connection while a part is being written.
    const answer = new Promise<Awaited<Upload['answer']>>((resolve, reject) => {
      sent.on('response', (response) => { text(response).then((body) => resolve({ status: response.statusCode, body: JSON.parse(body) as Readonly<Record<string, unknown>> }), reject); });
      sent.on('error', reject);
    });
    return { sent, answer };
  }

  /** Resolves when the process knows that it holds no more. */
  async function revoke(id: string, key: string): Promise<void> {
    expect((await callWith(ADMIN_KEY, service.baseUrl, `/keys/${id}`, { method: 'DELETE' })).status).to.equal(200);
    await eventually(async () => { expect((await callWith(key, service.baseUrl, '/tasks/none')).status).to.equal(401); });
  }

  it('ends where it is: what was stored has its result, and nothing behind it is', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'submit' });
    const { sent, answer } = upload('/tasks/batch', 'application/x-ndjson', key);
    const [first, ...others] = Array.from({ length: 4 }, waiting);
    sent.write(`${JSON.stringify(first)}\n`);
    await eventually(async () => { expect(await isStored(first?.id ?? '')).to.equal(true); });
    await revoke(id, key);
    const revokedAt = performance.now();
    await eventually(() => { expect(performance.now() - revokedAt).to.be.above(CHECKED_EVERY_MS); });
    for (const task of others) sent.write(`${JSON.stringify(task)}\n`);
    sent.end();
    const { status, body } = await answer;
    expect(status).to.equal(207);
    expect((body['results'] as { id: string; status: number }[]).map((result) => [result.id, result.status])).to.deep.equal([[first?.id, 201]]);
    expect(body['truncated']).to.deep.include({ index: 1, status: 401, code: 'unauthenticated' });
    for (const task of others) expect(await isStored(task.id)).to.equal(false);
  });

  for (const [path, type, form] of [
    ['/tasks', 'application/json', (task: object) => JSON.stringify(task)],
    ['/tasks/batch', 'application/json', (task: object) => JSON.stringify([task])],
    ['/tasks/batch', 'application/x-ndjson', (task: object) => `${JSON.stringify(task)}\n`],
  ] as const) {
    it(`is refused as a whole when nothing of it has come before (${path}, ${type})`, async () => {
      const { id, key } = await makeKey(service.baseUrl, { role: 'submit' });
      const { sent, answer } = upload(path, type, key);
      const task = waiting();
      const body = form(task);
      sent.write(body.slice(0, 20));
      await revoke(id, key);
      const revokedAt = performance.now();
      // What was checked a moment ago is believed.
      await eventually(() => { expect(performance.now() - revokedAt).to.be.above(CHECKED_EVERY_MS); });
      sent.end(body.slice(20));
      const { status, body: refusal } = await answer;
      expect([status, refusal['code']]).to.deep.equal([401, 'unauthenticated']);
      expect(await isStored(task.id)).to.equal(false);
    });
  }

  const changes = routeTable.filter(({ method, role }) => method !== 'GET' && role !== 'none').map(({ method, path, body }) => ({ method, path: path.replace(/:\w+/g, 't-some'), body }));

  it('changes nothing by any call: each that takes a body is refused when its last byte comes', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'admin', permissions: ['edit', 'payload'] });
    const open = await Promise.all(changes.filter(({ body }) => body !== 'none').map(async ({ method, path }) => {
      const { sent, answer } = upload(path, 'application/json', key, { method, headers: { expect: '100-continue' } });
      sent.flushHeaders();
      // It is sent when the body is read, which is behind the first check.
      await once(sent, 'continue');
      return { name: `${method} ${path}`, sent, answer };
    }));
    expect(open.map(({ name }) => name)).to.include.members(['POST /keys', 'PATCH /keys/t-some', 'PATCH /destinations/t-some/credentials', 'POST /tasks/t-some/retry']);
    await revoke(id, key);
    const revokedAt = performance.now();
    await eventually(() => { expect(performance.now() - revokedAt).to.be.above(CHECKED_EVERY_MS); });
    for (const { name, sent } of open) sent.end(name === 'POST /keys' ? JSON.stringify({ name: 'minted', role: 'admin' }) : '{}');
    const answers = await Promise.all(open.map(async ({ name, answer }) => ({ name, status: (await answer).status })));
    expect(answers).to.deep.equal(open.map(({ name }) => ({ name, status: 401 })));
    expect(JSON.stringify((await callWith(ADMIN_KEY, service.baseUrl, '/keys')).body)).to.not.include('minted');
  });

  it('waits for no body where a call takes none, and the board does not either', async () => {
    for (const { method, path } of changes.filter(({ body }) => body === 'none')) {
      const { sent, answer } = upload(path, 'application/json', ADMIN_KEY, { method });
      sent.write('{');
      const { status } = await answer;
      if (method === 'PUT') expect(status, `${method} ${path}`).to.equal(400);
      sent.destroy();
    }
  });
});

describe('an upload whose access key nothing confirms any more', () => {
  it('is refused, although the key was right when the headers came', async () => {
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, redis: redis.address });
    try {
      const { key } = await makeKey(service.baseUrl, { role: 'submit' });
      const { hostname, port } = new URL(service.baseUrl);
      const sent = request({ hostname, port, path: '/tasks', method: 'POST', headers: { 'content-type': 'application/json', 'expect': '100-continue', ...bearer(key) } });
      sent.flushHeaders();
      // It is sent when the body is read, which is behind the first check.
      await once(sent, 'continue');
      // The keys cannot be read any more; tasks could still be stored.
      await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', `~${service.prefix}:[^a]*`);
      await eventually(async () => { expect((await callWith(key, service.baseUrl, '/tasks/none')).status).to.be.within(500, 503); });
      const task = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
      sent.end(JSON.stringify(task));
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).to.be.within(500, 503);
      expect((await callWith(ADMIN_KEY, service.baseUrl, `/tasks/${task.id}`)).status).to.equal(404);
      await service.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
    } finally {
      await service.close();
      await redis.close();
    }
  });
});
