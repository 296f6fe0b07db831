import { expect } from 'chai';

import { ADMIN_KEY, bearer, callWith, makeKey, WRONG_KEY } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis, testRedisAddress } from '../../../support/redis.js';
import { sendRaw } from '../../../support/raw-request.js';
import { SlowLink } from '../../../support/slow-link.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call } from '../../../support/tasks.js';

interface ShownKey {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly created_by: { readonly type: string; readonly id: string | null };
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly previous_expires_at: string | null;
}

describe('access keys', () => {
  let service: InProcessService;

  beforeEach(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY }); });
  afterEach(() => service.close());

  const admin = (path: string, init?: Parameters<typeof callWith>[3]) => callWith(ADMIN_KEY, service.baseUrl, path, init);
  const statusWith = async (key: string, path = '/stats'): Promise<number> => (await callWith(key, service.baseUrl, path)).status;
  const list = async (query = ''): Promise<ShownKey[]> => (await admin(`/keys${query}`)).body['keys'] as ShownKey[];

  it('are shown once, stored as a hash, and logged nowhere', async () => {
    const { status, body } = await admin('/keys', { method: 'POST', body: { name: 'on call', role: 'read', permissions: ['payload'] } });
    expect(status).to.equal(201);
    const { key, ...shown } = body;
    expect(key).to.match(/^krs_[a-z0-9]{4,16}_[0-9a-f]{64}$/);
    expect(shown).to.deep.include({ name: 'on call', role: 'read', permissions: ['payload'], client_ids: null, expires_at: null, previous_expires_at: null, last_used_at: null });
    expect(String(key)).to.include(`krs_${String(body['id'])}_`);
    expect(await statusWith(String(key))).to.equal(200);
    expect(await statusWith(String(key), '/keys')).to.equal(403);
    expect(await statusWith(String(key).replace(/.$/, (last) => (last === '0' ? '1' : '0')))).to.equal(401);

    const secret = String(key).slice(-64);
    expect(JSON.stringify((await admin('/keys')).body) + JSON.stringify((await admin('/audit')).body)).to.not.include(secret);
    const stored = JSON.stringify([await service.redis.hgetall(`${service.prefix}:access:keys`), await service.redis.keys(`${service.prefix}*`)]);
    expect(stored).to.include('on call').and.not.include(secret);
    expect(service.log).to.include('key.create').and.not.include(secret).and.not.include(ADMIN_KEY.slice(-64));
  });

  it('say who made them, when they were used, and who did what', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'operate', name: 'deploy-bot' });
    await callWith(key, service.baseUrl, '/destinations/shop/pause?reason=down', { method: 'POST', headers: { 'x-operator': 'Anna' } });
    const by = { type: 'key', id, name: 'deploy-bot', operator: 'Anna' };
    expect((await callWith(key, service.baseUrl, '/destinations/shop')).body['paused']).to.deep.include({ by, reason: 'down' });
    const { body } = await admin('/audit?action=pause');
    expect((body['entries'] as { actor: unknown }[]).map(({ actor }) => actor)).to.deep.equal([by]);
    expect(((await admin('/audit?actor=deploy-bot')).body['entries'] as unknown[]).length).to.equal(1);
    await eventually(async () => {
      const [shown] = await list();
      expect(shown?.created_by).to.deep.include({ type: 'key', id: 'test0' });
      expect(Date.parse(shown?.last_used_at ?? ''), 'to the minute').to.be.closeTo(Date.now(), 120_000);
      expect(shown?.last_used_at).to.match(/:00\.000Z$/);
    });
  });

  it('stop within a second in another process when they are revoked there, also while its Redis is silent', async function () {
    this.timeout(15_000);
    const link = await SlowLink.to(testRedisAddress());
    const other = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix, redis: link.address });
    try {
      for (const isSilent of [false, true]) {
        const { id, key } = await makeKey(service.baseUrl, { role: 'read' });
        // The answer to a call without a body needs no Redis, so that it tells of the key alone.
        const ask = async (): Promise<number> => (await callWith(key, other.baseUrl, '/bulk-actions', { method: 'POST' })).status;
        await eventually(async () => expect(await ask()).to.equal(403));
        if (isSilent) link.delayMs = Infinity;
        expect((await admin(`/keys/${id}`, { method: 'DELETE' })).status).to.equal(200);
        const revokedAt = performance.now();
        expect(await statusWith(key), 'at once where it was revoked').to.equal(401);
        // What is asked behind the second is refused, and so is everything from then on.
        let lastTakenAt = -Infinity;
        const seen = new Set<number>();
        while (performance.now() < revokedAt + 1_500) {
          const askedAt = performance.now();
          const status = await ask();
          seen.add(status);
          if (status === 403) lastTakenAt = askedAt;
        }
        expect(lastTakenAt - revokedAt, 'ms').to.be.below(1_000);
        expect([...seen], String(isSilent)).to.include(isSilent ? 503 : 401);
        expect((await admin(`/keys/${id}`, { method: 'DELETE' })).body).to.include({ code: 'key_not_found' });
      }
    } finally {
      link.delayMs = 0;
      link.cut();
      await other.close();
      await link.close();
    }
  });

  it('end at their time', async function () {
    this.timeout(30_000);
    const { key } = await makeKey(service.baseUrl, { role: 'read', expires_at: new Date(Date.now() + 6_000).toISOString() });
    expect(await statusWith(key)).to.equal(200);
    await eventually(async () => { expect(await statusWith(key)).to.equal(401); });
  });

  it('can be changed, and what is left out stays', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'operate', permissions: ['edit'] });
    const changed = await admin(`/keys/${id}`, { method: 'PATCH', body: { name: 'new name', permissions: ['payload'], reason: 'moved' } });
    expect(changed.status).to.equal(200);
    expect(changed.body).to.deep.include({ id, name: 'new name', role: 'operate', permissions: ['payload'], client_ids: null });
    expect(changed.body).to.not.have.property('key');
    expect((await callWith(key, service.baseUrl, '/tasks/nothing', { method: 'PATCH', body: {} })).status).to.equal(403);
    expect(await statusWith(key, '/tasks?data.a=1')).to.equal(200);
    const most = Array.from({ length: 100 }, (_, nth) => `c${nth}`);
    expect((await admin(`/keys/${id}`, { method: 'PATCH', body: { client_ids: most } })).body).to.deep.include({ client_ids: most });
    expect(await statusWith(key), 'a bound key does not see everything').to.equal(403);
  });

  it('are rotated with an overlap: two secrets hold at most, and with 0 the old one ends at once', async () => {
    const { id, key: first } = await makeKey(service.baseUrl, { role: 'read' });
    const rotate = async (body?: object): Promise<string> => {
      const { status, body: answer } = await admin(`/keys/${id}/rotate`, { method: 'POST', ...(body === undefined ? {} : { body }) });
      expect(status, JSON.stringify(answer)).to.equal(200);
      return String(answer['key']);
    };
    const second = await rotate();
    expect([await statusWith(first), await statusWith(second)]).to.deep.equal([200, 200]);
    expect(Date.parse((await list())[0]?.previous_expires_at ?? '') - Date.now(), 'a day by default').to.be.within(86_000_000, 86_400_000);
    const third = await rotate({ overlap: 3_600 });
    expect([await statusWith(first), await statusWith(second), await statusWith(third)]).to.deep.equal([401, 200, 200]);
    await admin(`/keys/${id}`, { method: 'PATCH', body: { name: 'unrelated' } });
    expect([await statusWith(second), await statusWith(third)], 'another change leaves the secrets alone').to.deep.equal([200, 200]);
    const fourth = await rotate({ overlap: 0 });
    expect([await statusWith(second), await statusWith(third), await statusWith(fourth)]).to.deep.equal([401, 401, 200]);
    const fifth = await rotate({ overlap: 0.5 });
    expect(await statusWith(fifth)).to.equal(200);
    await eventually(async () => { expect(await statusWith(fourth), 'its overlap is over').to.equal(401); });
  });

  it('are listed page by page, each once', async () => {
    const made: string[] = [];
    for (let nth = 0; nth < 5; nth += 1) made.push((await makeKey(service.baseUrl, { role: 'submit' })).id);
    const found: string[] = [];
    for (let query = '?limit=2', pages = 0; pages < 5; pages += 1) {
      const { body } = await admin(`/keys${query}`);
      found.push(...(body['keys'] as ShownKey[]).map(({ id }) => id));
      const next = body['next_cursor'];
      if (typeof next !== 'string') break;
      query = `?limit=2&cursor=${next}`;
    }
    expect(found).to.have.lengthOf(5).and.to.have.members(made);
    expect((await admin('/keys?cursor=abc')).body).to.include({ code: 'invalid_cursor' });
  });

  const wrong: readonly (readonly [body: unknown, field: string])[] = [
    [{ role: 'read' }, 'name'],
    [{ name: ' ', role: 'read' }, 'name'],
    [{ name: 'a\nb', role: 'read' }, 'name'],
    [{ name: 'a'.repeat(101), role: 'read' }, 'name'],
    [{ name: 'a', role: 'root' }, 'role'],
    [{ name: 'a', role: 'read', permissions: ['payload', 'payload'] }, 'permissions'],
    [{ name: 'a', role: 'read', permissions: ['all'] }, 'permissions'],
    [{ name: 'a', role: 'read', client_ids: [] }, 'client_ids'],
    [{ name: 'a', role: 'read', client_ids: 'c1' }, 'client_ids'],
    [{ name: 'a', role: 'read', client_ids: ['c1', ''] }, 'client_ids'],
    [{ name: 'a', role: 'read', client_ids: Array.from({ length: 101 }, (_, nth) => `c${nth}`) }, 'client_ids'],
    [{ name: 'a', role: 'admin', client_ids: ['c1'] }, 'client_ids'],
    [{ name: 'a', role: 'read', expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'a', role: 'read', expires_at: 'tomorrow' }, 'expires_at'],
    [{ name: 'a', role: 'read', expiers_at: null }, 'expiers_at'],
    [[], ''],
  ];
  it('are not made of what is not valid, and the answer names the field', async () => {
    for (const [body, field] of wrong) {
      const { status, body: answer } = await admin('/keys', { method: 'POST', body });
      expect(status, JSON.stringify(body)).to.equal(400);
      expect((answer['details'] as { field: string }[])[0]?.field, JSON.stringify(answer)).to.equal(field);
    }
    expect(await list()).to.deep.equal([]);
  });

  it('slow down who guesses, log and count it, and never slow a right key from the same address', async () => {
    const guesses = await Promise.all(Array.from({ length: 300 }, (_, nth) => sendRaw(service.baseUrl, { method: 'GET', path: '/stats', headers: { ...bearer(WRONG_KEY), 'x-forwarded-for': `192.0.2.${nth % 256}` } })));
    const statuses = guesses.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401).length, 'some are answered').to.be.at.least(20);
    const slowed = guesses.filter(({ status }) => status === 429);
    expect(slowed.length, 'a header that anybody can set does not count').to.be.at.least(1);
    expect(slowed[0]?.headers['retry-after']).to.equal('1');
    expect(JSON.parse(slowed[0]?.text ?? '')).to.include({ code: 'rate_limited' });
    expect(await statusWith(ADMIN_KEY), 'the right key').to.equal(200);
    expect(service.log).to.match(/"message":"request refused".*"status":401.*"key_id":"nobody".*"why":"unknown key"/);
  });
});

describe('access keys without a bootstrap key', () => {
  it('keep the last admin key that never expires', async () => {
    const first = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    try {
      const admins = [await makeKey(first.baseUrl, { role: 'admin' }), await makeKey(first.baseUrl, { role: 'admin' })] as const;
      await makeKey(first.baseUrl, { role: 'operate' });
      const later = await InProcessService.ready({ bootstrapKey: '', prefix: first.prefix });
      try {
        const change = async (method: string, id: string, body?: object): Promise<unknown[]> => {
          const answer = await callWith(admins[1].key, later.baseUrl, `/keys/${id}`, { method, ...(body === undefined ? {} : { body }) });
          return [answer.status, answer.body['code']];
        };
        expect((await call(later.baseUrl, '/stats')).status).to.equal(401);
        expect(await change('DELETE', admins[0].id)).to.deep.equal([200, undefined]);
        // An admin key that ends does not stand in for it; it may go itself.
        const ending = await callWith(admins[1].key, later.baseUrl, '/keys', { method: 'POST', body: { name: 'ends', role: 'admin', expires_at: '2099-01-01T00:00:00Z' } });
        expect(ending.status).to.equal(201);
        expect(await change('DELETE', admins[1].id)).to.deep.equal([409, 'last_admin']);
        expect(await change('DELETE', String(ending.body['id']))).to.deep.equal([200, undefined]);
        expect(await change('DELETE', admins[1].id)).to.deep.equal([409, 'last_admin']);
        expect(await change('PATCH', admins[1].id, { expires_at: '2099-01-01T00:00:00Z' })).to.deep.equal([409, 'last_admin']);
        expect(await change('PATCH', admins[1].id, { name: 'still here' })).to.deep.equal([200, undefined]);
      } finally {
        await later.close();
      }
      expect((await callWith(ADMIN_KEY, first.baseUrl, `/keys/${admins[1].id}`, { method: 'DELETE' })).status, 'with a bootstrap key it may go').to.equal(200);
    } finally {
      await first.close();
    }
  });
});

describe('access keys while Redis is frozen', () => {
  it('are refused with 503 once it is not known any more whether they hold; the bootstrap key is let in', async function () {
    this.timeout(60_000);
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, redis: redis.address });
    try {
      const { key } = await makeKey(service.baseUrl, { role: 'read' });
      expect((await callWith(key, service.baseUrl, '/bulk-actions')).status).to.equal(200);
      await redis.freeze();
      try {
        // A path that there is not needs a key, and no Redis.
        await eventually(async () => { expect((await callWith(key, service.baseUrl, '/nothing')).status).to.equal(503); });
        expect((await callWith(ADMIN_KEY, service.baseUrl, '/nothing')).status).to.equal(404);
        expect((await callWith(WRONG_KEY.replace('nobody', 'test0'), service.baseUrl, '/nothing')).status).to.equal(401);
      } finally {
        redis.thaw();
      }
      await eventually(async () => { expect((await callWith(key, service.baseUrl, '/nothing')).status).to.equal(404); });
    } finally {
      await service.close();
      await redis.close();
    }
  });
});
