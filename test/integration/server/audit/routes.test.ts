import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { PrivateRedis } from '../../../support/redis.js';
import { call, cancel, httpTask, retryNow, submitNew, uniqueId, waitForState } from '../../../support/tasks.js';

interface ShownEntry {
  readonly id: string;
  readonly at: string;
  readonly actor: { readonly type: string; readonly operator: string | null };
  readonly action: string;
  readonly target: { readonly type: string; readonly id: string };
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly completed_at: string | null;
  readonly outcome: string;
  readonly error_code: string | null;
  readonly count: number | null;
  readonly before: Readonly<Record<string, string | null>> | null;
  readonly after: Readonly<Record<string, string | null>> | null;
}

describe('GET /audit', () => {
  let service: InProcessService;

  beforeEach(async () => { service = await InProcessService.ready(); });
  afterEach(() => service.close());

  async function audit(query = ''): Promise<ShownEntry[]> {
    const { status, body } = await call(service.baseUrl, `/audit${query}`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body['entries'] as ShownEntry[];
  }

  const json = { 'content-type': 'application/json' };
  const shortly = ({ action, target, outcome, reason, count }: ShownEntry): unknown[] => [action, target.type, target.id, outcome, reason, count];
  const change = (method: string, path: string, body: string | undefined, operator: string) => sendRaw(service.baseUrl, { method, path, headers: { ...(body === undefined ? {} : json), 'x-operator': operator, 'x-request-id': 'req-1' }, ...(body === undefined ? {} : { body }) });

  it('has an entry for every change, and none for submissions and calls that only read', async () => {
    const id = uniqueId();
    await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
    await call(service.baseUrl, `/tasks/${id}`);
    const changes = [
      ['PUT', '/destinations/shop', '{"rate":1,"reason":"too many 429"}'],
      ['POST', '/destinations/shop/pause?reason=down', undefined],
      ['POST', '/destinations/shop/resume', undefined],
      ['DELETE', '/destinations/shop', undefined],
      ['POST', `/tasks/${id}/retry`, '{"reason":"now"}'],
      ['POST', `/tasks/${id}/retry`, undefined],
      ['DELETE', `/tasks/${id}`, undefined],
      ['DELETE', `/tasks/${id}`, undefined],
      ['DELETE', '/tasks/unknown', undefined],
    ] as const;
    for (const [method, path, body] of changes) await change(method, path, body, 'J%C3%BCrgen');
    const entries = (await audit()).reverse();
    expect(entries.map(shortly)).to.deep.equal([
      ['destination.limits', 'destination', 'shop', 'done', 'too many 429', 1],
      ['destination.pause', 'destination', 'shop', 'done', 'down', 1],
      ['destination.resume', 'destination', 'shop', 'done', null, 1],
      ['destination.limits', 'destination', 'shop', 'done', null, 1],
      ['task.retry', 'task', id, 'done', 'now', 1],
      ['task.retry', 'task', id, 'done', null, 0],
      ['task.cancel', 'task', id, 'done', null, 1],
      ['task.cancel', 'task', id, 'failed', null, 0],
      ['task.cancel', 'task', 'unknown', 'failed', null, 0],
    ]);
    expect(entries.map(({ error_code: code }) => code).slice(-2)).to.deep.equal(['finished', 'task_not_found']);
    for (const entry of entries) {
      expect(entry.actor).to.deep.equal({ type: 'anonymous', id: null, name: null, operator: 'J\u00fcrgen' });
      expect(entry.request_id).to.equal('req-1');
    }
  });

  it('has no entry for what was refused before it was tried', async () => {
    await change('POST', '/destinations/shop/pause', '{"untl":"+1h"}', 'Anna');
    await change('POST', '/destinations/shop/pause?reason=a', '{"reason":"b"}', 'Anna');
    await change('DELETE', '/tasks/a', undefined, '%');
    expect(await audit()).to.deep.equal([]);
  });

  it('calls the deletion of a parked task one, and counts what Retry all of the board has started', async () => {
    await service.startWorker();
    const parked = [uniqueId(), uniqueId(), uniqueId()];
    for (const id of parked) {
      const { dead_destination: _none, ...task } = httpTask('http://127.0.0.1:9/', { id, on_exhausted: 'park' });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, id, 'parked');
    }
    const [first = '', second = ''] = parked;
    await cancel(service.baseUrl, first);
    await call(service.baseUrl, `/admin/queues/api/queues/deliver-0/t-${second}/retry`, { method: 'PUT' });
    await waitForState(service.baseUrl, second, 'parked');
    await call(service.baseUrl, '/admin/queues/api/queues/deliver-0/retry/failed', { method: 'PUT' });
    const entries = await eventually(async () => {
      const found = await audit();
      expect(found.map(({ outcome }) => outcome)).to.deep.equal(['done', 'done', 'done']);
      return found;
    });
    expect(entries.map(({ action, target, count }) => [action, target.type, target.id, count])).to.deep.equal([
      ['task.retry', 'queue', 'deliver-0', 2],
      ['task.retry', 'task', second, 1],
      ['task.delete', 'task', first, 1],
    ]);
  });

  it('shows which fields a change has changed, and never their values', async () => {
    const key = 'secret-tenant-4711';
    await change('PUT', `/destinations/${key}`, '{"rate":12345.5,"max_concurrency":7}', 'Anna');
    await change('PUT', `/destinations/${key}`, '{"rate":12345.5}', 'Anna');
    await change('PUT', `/destinations/${key}`, '{"rate":12345.5}', 'Anna');
    await change('POST', `/destinations/${key}/pause`, undefined, 'Anna');
    const [pause, same, second, first] = await audit();
    expect(Object.keys(first?.after ?? {})).to.deep.equal(['max_concurrency', 'rate']);
    expect(first?.before).to.deep.equal({ max_concurrency: null, rate: null });
    expect([second?.before, second?.after]).to.deep.equal([{ max_concurrency: first?.after?.['max_concurrency'] }, { max_concurrency: null }]);
    expect([same?.before, same?.after]).to.deep.equal([null, null]);
    expect(Object.keys(pause?.after ?? {})).to.deep.equal(['paused']);
    expect(JSON.stringify([first, second])).to.not.include('12345');
  });

  it('finds entries by actor, action, target and time, and all of them together', async () => {
    const url = 'https://api.example.com';
    await change('POST', `/destinations/${encodeURIComponent(url)}/pause`, undefined, 'Anna');
    await change('POST', '/destinations/shop/pause', undefined, 'Bob');
    await change('DELETE', '/tasks/pause', undefined, 'Anna');
    const targets = async (query: string): Promise<string[]> => (await audit(query)).map(({ target }) => target.id);
    expect(await targets('?actor=Anna')).to.deep.equal(['pause', url]);
    expect(await targets('?action=pause')).to.deep.equal(['shop', url]);
    expect(await targets('?action=destination.pause&actor=Bob')).to.deep.equal(['shop']);
    for (const spelling of [url, 'HTTPS://user@API.example.com:443', `~${Buffer.from(url).toString('base64url')}`]) {
      expect(await targets(`?target=${encodeURIComponent(spelling)}`), spelling).to.deep.equal([url]);
    }
    expect(await targets('?target=pause')).to.deep.equal(['pause']);
    expect(await targets('?since=1h&actor=anonymous')).to.have.lengthOf(3);
    expect(await targets('?since=2100-01-01T00:00:00Z')).to.deep.equal([]);
  });

  it('is read page by page', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await change('POST', `/destinations/${name}/pause`, undefined, 'Anna');
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await call(service.baseUrl, `/audit?limit=2&action=pause${cursor}`);
      seen.push(...(body['entries'] as ShownEntry[]).map(({ target }) => target.id));
      const { next_cursor: next } = body as { next_cursor: string | null };
      if (next === null) break;
      cursor = `&cursor=${next}`;
      // Newer entries do not move what follows.
      await change('POST', '/destinations/later/pause', undefined, 'Bob');
      const { status, body: refusal } = await call(service.baseUrl, `/audit?limit=2&action=resume${cursor}`);
      expect([status, refusal['code']]).to.deep.equal([400, 'invalid_cursor']);
    }
    expect(seen).to.deep.equal(['e', 'd', 'c', 'b', 'a']);
  });

  it('names the service, with the reason of the person, when a pause is over by itself', async () => {
    await change('POST', '/destinations/shop/pause', '{"until":"+1s","reason":"it is deployed anew"}', 'Anna');
    await service.startWorker();
    const [end, pause] = await eventually(async () => {
      const found = await audit('?target=shop');
      expect(found).to.have.lengthOf(2);
      return found;
    }, { withinMs: 20_000 });
    expect([end?.action, end?.actor, end?.reason, end?.request_id, end?.outcome]).to.deep.equal(['destination.resume', { type: 'service', id: null, name: null, operator: null }, 'it is deployed anew', null, 'done']);
    expect(pause?.actor.operator).to.equal('Anna');
    expect(service.log).to.match(/"a pause is over: its tasks are sent again".*"it is deployed anew"/);
  });

  it('cuts an id off that no task can have, so that it does not fill the audit', async () => {
    const { status } = await change('DELETE', `/tasks/${'x'.repeat(10_000)}`, undefined, 'Anna');
    const [entry] = await audit();
    expect([status, entry?.target.id.length]).to.deep.equal([404, 2_100]);
  });
});

describe('the audit, while Redis fails', () => {
  it('lets no change be made whose entry cannot be written', async () => {
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ redis: redis.address });
    try {
      const id = uniqueId();
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
      // Its key holds something else, so Redis refuses every entry, and would take the change.
      await service.redis.set(`${service.prefix}:audit:log`, 'x');
      for (const answer of [await cancel(service.baseUrl, id), await retryNow(service.baseUrl, id)]) expect([answer.status, answer.body['code']]).to.deep.equal([503, 'redis_refused']);
      await service.redis.del(`${service.prefix}:audit:log`);
      expect((await call(service.baseUrl, `/tasks/${id}`)).body['state']).to.equal('scheduled');
      expect((await cancel(service.baseUrl, id)).status).to.equal(200);
    } finally {
      await service.close();
      await redis.close();
    }
  });

  it('leaves an entry as begun, and answers as the change came out, when it cannot be completed', async () => {
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ redis: redis.address });
    try {
      const id = uniqueId();
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
      await service.redis.set(`${service.prefix}:audit:ends`, 'x');
      expect((await cancel(service.baseUrl, id)).body['state']).to.equal('cancelled');
      await service.redis.del(`${service.prefix}:audit:ends`);
      const { body } = await call(service.baseUrl, '/audit');
      const [entry] = body['entries'] as ShownEntry[];
      expect([entry?.action, entry?.outcome, entry?.completed_at, entry?.count, entry?.error_code]).to.deep.equal(['task.cancel', 'begun', null, null, null]);
      expect(service.log).to.include('an entry of the audit stays as it was begun');
    } finally {
      await service.close();
      await redis.close();
    }
  });
});
