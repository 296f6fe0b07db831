import { request, type ClientRequest } from 'node:http';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';

import { CHECKED_EVERY_MS } from '../../../../server/http/request-context.js';
import { ADMIN_KEY, bearer, callWith, makeKey } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
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

  function upload(path: string, type: string, key: string): Upload {
    const { hostname, port } = new URL(service.baseUrl);
    const sent = request({ hostname, port, path, method: 'POST', headers: { 'content-type': type, ...bearer(key) } });
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
});
