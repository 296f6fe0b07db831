import { hash } from 'node:crypto';

import { expect } from 'chai';

import { ADMIN_KEY, bearer, callWith, makeKey, WRONG_KEY } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw, type RawAnswer } from '../../../support/raw-request.js';
import { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { askToSignIn, cookiesOf, signIn, type SessionHeaders } from '../../../support/sign-in.js';

const parsed = ({ text }: RawAnswer): Readonly<Record<string, unknown>> => JSON.parse(text) as Readonly<Record<string, unknown>>;

describe('sessions', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY }); });
  after(() => service.close());

  const get = (session: Readonly<Record<string, string>>, path = '/session', baseUrl = service.baseUrl): Promise<RawAnswer> => sendRaw(baseUrl, { path, headers: { ...session } });
  const statusOf = async (session: SessionHeaders, path?: string, baseUrl?: string): Promise<number> => (await get({ ...session }, path, baseUrl)).status;
  const signOut = (session: SessionHeaders): Promise<RawAnswer> => sendRaw(service.baseUrl, { method: 'DELETE', path: '/session', headers: { ...session } });
  const admin = (path: string, init?: Parameters<typeof callWith>[3]) => callWith(ADMIN_KEY, service.baseUrl, path, init);

  const MINUTE_MS = 60_000;
  const HOUR_MS = 60 * MINUTE_MS;

  /** Starts one, as if it had been started and used so many minutes ago. */
  async function startedAgo(startedMinutes: number, usedMinutes: number): Promise<{ readonly session: SessionHeaders; readonly usedAt: () => Promise<number> }> {
    const session = await signIn(service.baseUrl, ADMIN_KEY);
    const stored = [`${service.prefix}:access:sessions:test0`, hash('sha256', session.cookie.slice(-64), 'hex')] as const;
    const [secretHash = '', startedAt, usedAt] = ((await service.redis.hget(...stored)) ?? '').split(' ');
    await service.redis.hset(...stored, `${secretHash} ${Number(startedAt) - startedMinutes * MINUTE_MS} ${Number(usedAt) - usedMinutes * MINUTE_MS}`);
    return { session, usedAt: async () => Number(((await service.redis.hget(...stored)) ?? '').split(' ')[2]) };
  }

  it('are started with a key, say whose they are, and do what the key may', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'read', permissions: ['payload'], name: 'on call' });
    const signedIn = await askToSignIn(service.baseUrl, key);
    expect(signedIn.status).to.equal(201);
    const session = cookiesOf(signedIn);
    const shown = parsed(await get({ ...session }));
    expect(shown).to.deep.include({ key_id: id, name: 'on call', role: 'read', permissions: ['payload'], client_ids: null });
    expect(Date.parse(String(shown['expires_at'])) - Date.now(), 'SESSION_LIFETIME').to.be.within(11.9 * 3_600_000, 12 * 3_600_000);
    expect(parsed(signedIn)).to.include({ key_id: id, role: 'read' });
    expect([await statusOf(session, '/stats'), await statusOf(session, '/keys')]).to.deep.equal([200, 403]);
    const refused = await sendRaw(service.baseUrl, { method: 'POST', path: '/destinations/shop/pause', headers: { ...session } });
    expect([refused.status, parsed(refused)['code']]).to.deep.equal([403, 'forbidden']);
    expect(await statusOf({ cookie: '' }), 'without it').to.equal(401);
    expect(parsed(await get(bearer(key))), 'with the key itself').to.deep.include({ key_id: id, expires_at: null });
  });

  it('of a bound key see its clients alone', async () => {
    const { key } = await makeKey(service.baseUrl, { role: 'read', client_ids: ['c2'] });
    const session = await signIn(service.baseUrl, key);
    expect(parsed(await get({ ...session }))).to.deep.include({ client_ids: ['c2'] });
    expect([await statusOf(session, '/tasks'), await statusOf(session, '/stats'), await statusOf(session, '/admin/queues')]).to.deep.equal([200, 403, 403]);
  });

  it('stand in the audit with the key that they were started with', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'operate', name: 'night shift' });
    const session = await signIn(service.baseUrl, key);
    expect((await sendRaw(service.baseUrl, { method: 'POST', path: '/destinations/audited/pause', headers: { ...session, 'x-operator': 'Anna' } })).status).to.equal(200);
    const { body } = await admin('/audit?target=audited');
    expect((body['entries'] as { actor: unknown }[]).map(({ actor }) => actor)).to.deep.equal([{ type: 'session', id, name: 'night shift', operator: 'Anna' }]);
    expect((await signOut(session)).status).to.equal(204);
    const { body: own } = await admin(`/audit?target=${id}`);
    const seen = (own['entries'] as { action: string; actor: { type: string; id: string } }[]).map(({ action, actor }) => [action, actor.type, actor.id]);
    expect(seen.slice(0, 2)).to.deep.equal([['session.delete', 'session', id], ['session.create', 'key', id]]);
  });

  it('count for the rate limit of their key, and stand in the audit ten times a minute, so that no key pushes out what others have done', async () => {
    const limited = await makeKey(service.baseUrl, { role: 'read', rate_limit: 0.001 });
    const answers = [await askToSignIn(service.baseUrl, limited.key), await askToSignIn(service.baseUrl, limited.key)];
    expect(answers.map(({ status, headers }) => [status, headers['ratelimit'] !== undefined])).to.deep.equal([[201, true], [429, true]]);
    expect(parsed(answers[1] ?? expect.fail())).to.include({ code: 'rate_limited' });
    const { id, key } = await makeKey(service.baseUrl, { role: 'submit' });
    for (let nth = 0; nth < 13; nth += 1) expect((await signOut(await signIn(service.baseUrl, key))).status).to.equal(204);
    const { body } = await admin(`/audit?target=${id}&limit=100`);
    const actions = (body['entries'] as { action: string }[]).map(({ action }) => action).filter((action) => action.startsWith('session.'));
    expect(['session.create', 'session.delete'].map((each) => actions.filter((action) => action === each).length)).to.deep.equal([10, 10]);
  });

  describe('have a cookie', () => {
    const https: readonly (readonly [name: string, headers: Readonly<Record<string, string>>])[] = [
      ['whose page says https', { host: 'retry.example.com', origin: 'https://retry.example.com' }],
      ['behind a proxy that says https', { 'x-forwarded-proto': 'https' }],
      ['behind two of them', { 'x-forwarded-proto': 'HTTPS, http' }],
    ];
    for (const [name, headers] of https) {
      it(`that is Secure and of this host alone, for a browser ${name}`, async () => {
        const { headers: got, text } = await askToSignIn(service.baseUrl, ADMIN_KEY, headers);
        expect(got['set-cookie']).to.have.lengthOf(1);
        const [line = ''] = got['set-cookie'] ?? [];
        expect(line).to.match(/^__Host-krs_session=test0\.[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
        expect(text, 'it stands in no body').to.not.include(line.slice(30, 80));
      });
    }

    for (const [name, headers] of [['http', {}], ['http, although a header says https', { host: 'retry.example.com', origin: 'http://retry.example.com', 'x-forwarded-proto': 'https' }], ['http behind two proxies', { 'x-forwarded-proto': 'http, https' }]] as const) {
      it(`that is not Secure where the page came by ${name}`, async () => {
        const { headers: got } = await askToSignIn(service.baseUrl, ADMIN_KEY, headers);
        expect(got['set-cookie']?.[0]).to.match(/^krs_session=test0\.[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/);
      });
    }

    it('that another host or path cannot plant', async () => {
      const own = (await signIn(service.baseUrl, ADMIN_KEY)).cookie;
      const planted = (await signIn(service.baseUrl, (await makeKey(service.baseUrl, { role: 'read' })).key)).cookie;
      const secure = cookiesOf(await askToSignIn(service.baseUrl, ADMIN_KEY, { 'x-forwarded-proto': 'https' })).cookie;
      const keyIdOf = async (headers: Readonly<Record<string, string>>): Promise<unknown> => parsed(await get(headers))['key_id'];
      expect(await keyIdOf({ cookie: `${planted}; ${own}` }), 'two of them are none').to.equal(undefined);
      expect(await keyIdOf({ cookie: `${own}; ${own}` })).to.equal('test0');
      expect(await keyIdOf({ cookie: `${planted}; ${secure}` }), 'the one of this host alone counts').to.equal('test0');
      expect(await keyIdOf({ cookie: planted, 'x-forwarded-proto': 'https' }), 'over https no other one counts').to.equal(undefined);
      expect(await keyIdOf({ cookie: `a=b; other_${planted}` })).to.equal(undefined);
    });
  });

  it('are new at each sign-in, and the one that the browser had ends', async () => {
    const first = await signIn(service.baseUrl, ADMIN_KEY);
    for (const key of [ADMIN_KEY, (await makeKey(service.baseUrl, { role: 'read' })).key]) {
      const before = await signIn(service.baseUrl, ADMIN_KEY);
      const again = cookiesOf(await askToSignIn(service.baseUrl, key, { ...before }));
      expect(again.cookie).to.not.equal(before.cookie);
      expect([await statusOf(before), await statusOf(again)]).to.deep.equal([401, 200]);
    }
    const chosen = `krs_session=test0.${'1'.repeat(64)}`;
    const made = cookiesOf(await askToSignIn(service.baseUrl, ADMIN_KEY, { cookie: chosen }));
    expect([made.cookie === chosen, await statusOf({ cookie: chosen }), await statusOf(first)]).to.deep.equal([false, 401, 200]);
  });

  it('end in every process when the person signs out, and the browser is told to forget them', async () => {
    const other = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix });
    try {
      const session = await signIn(service.baseUrl, ADMIN_KEY);
      expect(await statusOf(session, '/session', other.baseUrl)).to.equal(200);
      const { status, headers } = await signOut(session);
      expect(status).to.equal(204);
      expect(headers['set-cookie']).to.deep.equal(['krs_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0', '__Host-krs_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0']);
      expect([await statusOf(session), await statusOf(session, '/session', other.baseUrl)]).to.deep.equal([401, 401]);
      expect((await signOut(session)).status, 'twice').to.equal(204);
      expect((await sendRaw(service.baseUrl, { method: 'DELETE', path: '/session' })).status, 'without one').to.equal(204);
    } finally {
      await other.close();
    }
  });

  it('outlive a restart of the API, and are stored as hashes', async () => {
    const session = await signIn(service.baseUrl, ADMIN_KEY);
    const later = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix });
    try {
      expect(await statusOf(session, '/session', later.baseUrl)).to.equal(200);
    } finally {
      await later.close();
    }
    const stored = await service.redis.hgetall(`${service.prefix}:access:sessions:test0`);
    expect(Object.keys(stored).length).to.be.at.least(1);
    expect(JSON.stringify(stored)).to.not.include(session.cookie.slice(-64)).and.not.include(ADMIN_KEY.slice(-64));
    expect(await service.redis.pttl(`${service.prefix}:access:sessions:test0`)).to.be.within(1, 12 * 3_600_000);
    expect(service.log).to.include('a person has signed in').and.not.include(session.cookie.slice(-64)).and.not.include(ADMIN_KEY.slice(-64));
  });

  it('end with their key in every process: revoked, rotated away, or expired', async () => {
    const other = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix });
    try {
      const revoked = await makeKey(service.baseUrl, { role: 'read' });
      const rotated = await makeKey(service.baseUrl, { role: 'read' });
      const overlapping = await makeKey(service.baseUrl, { role: 'read' });
      const expiring = await makeKey(service.baseUrl, { role: 'read' });
      const sessions = await Promise.all([revoked, rotated, overlapping, expiring].map(({ key }) => signIn(service.baseUrl, key)));
      const statuses = (): Promise<number[]> => Promise.all(sessions.map((session) => statusOf(session, '/session', other.baseUrl)));
      await eventually(async () => { expect(await statuses()).to.deep.equal([200, 200, 200, 200]); });
      await admin(`/keys/${revoked.id}`, { method: 'DELETE' });
      await admin(`/keys/${rotated.id}/rotate`, { method: 'POST', body: { overlap: 0 } });
      await admin(`/keys/${overlapping.id}/rotate`, { method: 'POST', body: { overlap: 3_600 } });
      await admin(`/keys/${expiring.id}`, { method: 'PATCH', body: { expires_at: new Date(Date.now() + 2_000).toISOString() } });
      await eventually(async () => { expect(await statuses()).to.deep.equal([401, 401, 200, 401]); });
      const ends = parsed(await get({ ...(sessions[2] ?? {}) }))['expires_at'];
      expect(Date.parse(String(ends)) - Date.now(), 'with the secret that it was started with').to.be.at.most(3_600_000);
    } finally {
      await other.close();
    }
  });

  describe('that grow old', () => {
    it('end by idleness, and are not woken again', async () => {
      const { session } = await startedAgo(120, 60);
      for (let time = 0; time < 2; time += 1) expect(await statusOf(session)).to.equal(401);
    });

    it('end by their lifetime, in spite of their use', async () => {
      const { session } = await startedAgo(720, 0);
      expect(await statusOf(session)).to.equal(401);
    });

    it('live on by use, but not by what a page asks for while nobody is at it', async () => {
      const { session, usedAt } = await startedAgo(660, 59);
      const before = await usedAt();
      expect((await get({ ...session, 'x-unattended': '1' })).status).to.equal(200);
      expect(await usedAt()).to.equal(before);
      const shown = parsed(await get({ ...session }));
      expect(await usedAt()).to.be.at.least(before + 59 * MINUTE_MS);
      expect(Date.parse(String(shown['expires_at'])) - Date.now(), 'its lifetime goes on').to.be.within(59 * MINUTE_MS, HOUR_MS);
    });
  });

  it('that have ended are answered, to a person who opens a page, with a page that says why and asks for a key', async () => {
    const open = async (headers: Readonly<Record<string, string>>, path = '/admin/queues/queue/deliver-0?status=failed'): Promise<RawAnswer> => get({ accept: 'text/html,*/*;q=0.8', ...headers }, path);
    const revoked = await makeKey(service.baseUrl, { role: 'read' });
    const replaced = await makeKey(service.baseUrl, { role: 'read' });
    const [out, ofRevoked, ofReplaced, idle, old] = [await signIn(service.baseUrl, ADMIN_KEY), await signIn(service.baseUrl, revoked.key), await signIn(service.baseUrl, replaced.key), await startedAgo(62, 61), await startedAgo(721, 0)];
    await signOut(out);
    await admin(`/keys/${revoked.id}`, { method: 'DELETE' });
    await admin(`/keys/${replaced.id}/rotate`, { method: 'POST', body: { overlap: 0 } });
    const reasons: readonly (readonly [headers: Readonly<Record<string, string>>, reason: string])[] = [
      [{}, 'This page needs an access key.'],
      [bearer(WRONG_KEY), 'This page needs an access key.'],
      [{ ...out }, 'You were signed out, here or in another tab.'],
      [{ ...ofRevoked }, 'You were signed out, because your key was revoked.'],
      [{ ...ofReplaced }, 'You were signed out, because your key was replaced by a new one.'],
      [{ ...idle.session }, 'You were signed out, because nothing was done here for a while.'],
      [{ ...old.session }, 'You were signed out, because it was long ago that you signed in.'],
    ];
    for (const [headers, reason] of reasons) {
      const { status, headers: got, text } = await open(headers);
      expect([status, got['content-type'], got['www-authenticate']], reason).to.deep.equal([401, 'text/html; charset=utf-8', 'Bearer']);
      expect(text).to.include(`<p id="reason">${reason}</p>`);
    }
    for (const path of ['/admin/queues/api/queues', '/stats', '/nothing']) expect((await open({}, path)).headers['content-type'], path).to.equal('application/json; charset=utf-8');
    expect((await get({}, '/admin/queues')).headers['content-type'], 'a program').to.equal('application/json; charset=utf-8');
  });

  it('do less at once when their key may do less', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'read', permissions: ['payload'] });
    const session = await signIn(service.baseUrl, key);
    expect(await statusOf(session, '/tasks?data.a=1')).to.equal(200);
    await admin(`/keys/${id}`, { method: 'PATCH', body: { permissions: [] } });
    expect(await statusOf(session, '/tasks?data.a=1')).to.equal(403);
  });

  it('are not a key, and a key is not one', async () => {
    const { cookie } = await signIn(service.baseUrl, ADMIN_KEY);
    expect(await statusOf({ cookie: `krs_session=${ADMIN_KEY}` })).to.equal(401);
    expect((await get(bearer(cookie.split('=')[1] ?? ''))).status).to.equal(401);
    expect((await get({ cookie, authorization: `Bearer ${WRONG_KEY}` })).status, 'a wrong key beside it').to.equal(401);
    expect((await get({ cookie, authorization: 'Bearer' })).status).to.equal(401);
    expect((await get({ cookie, authorization: 'Basic YTpi' })).status, 'a password for the proxy in front').to.equal(200);
  });

  it('are never started with a key in the address, and no call takes one from there', async () => {
    for (const path of [`/stats?key=${ADMIN_KEY}`, `/stats?access_token=${ADMIN_KEY}`, `/admin/queues?key=${ADMIN_KEY}`, `/session?key=${ADMIN_KEY}`]) expect((await sendRaw(service.baseUrl, { path })).status, path).to.equal(401);
    const posted = await sendRaw(service.baseUrl, { method: 'POST', path: `/session?key=${ADMIN_KEY}`, headers: { 'content-type': 'application/json' }, body: '{}' });
    expect(posted.status).to.equal(400);
    expect(posted.text).to.not.include(ADMIN_KEY.slice(-64));
    expect(service.log).to.not.include(ADMIN_KEY.slice(-64));
  });

  const wrong: readonly (readonly [body: string, type: string, status: number])[] = [
    ['{}', 'application/json', 400],
    ['{"key":1}', 'application/json', 400],
    ['[]', 'application/json', 400],
    [JSON.stringify({ key: ADMIN_KEY, next: 'https://evil.test/' }), 'application/json', 400],
    [JSON.stringify({ key: ADMIN_KEY }), 'text/plain', 415],
    [`key=${ADMIN_KEY}`, 'application/x-www-form-urlencoded', 415],
    [JSON.stringify({ key: `${ADMIN_KEY} ` }), 'application/json', 401],
    [JSON.stringify({ key: '' }), 'application/json', 401],
  ];
  it('are not started by what is no sign-in', async () => {
    for (const [body, type, status] of wrong) {
      const answer = await sendRaw(service.baseUrl, { method: 'POST', path: '/session', headers: { 'content-type': type }, body });
      expect(answer.status, body).to.equal(status);
      expect(answer.headers['set-cookie'], body).to.equal(undefined);
      expect(answer.text).to.not.include(ADMIN_KEY.slice(-64));
    }
  });

  it('cannot be started for a person by a page of another origin', async () => {
    for (const headers of [{ origin: 'https://evil.test' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      const answer = await askToSignIn(service.baseUrl, ADMIN_KEY, headers);
      expect([answer.status, parsed(answer)['code'], answer.headers['set-cookie']]).to.deep.equal([403, 'origin_refused', undefined]);
    }
  });

  it('slow down who guesses a key, whatever the spelling of the path, and never a right one', async () => {
    const paths = ['/session', '/session/', '/%73ession'];
    const guess = (nth: number): Promise<RawAnswer> => sendRaw(service.baseUrl, { method: 'POST', path: paths[nth % paths.length] ?? '', headers: { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${nth % 256}` }, body: JSON.stringify({ key: WRONG_KEY }) });
    const guesses = await Promise.all(Array.from({ length: 200 }, (_, nth) => guess(nth)));
    expect(guesses.filter(({ status }) => status === 429).length).to.be.at.least(1);
    expect(guesses.map(({ status }) => status).filter((status) => status !== 429 && status !== 401)).to.deep.equal([]);
    expect(await statusOf(await signIn(service.baseUrl, ADMIN_KEY))).to.equal(200);
    expect((await sendRaw(service.baseUrl, { method: 'POST', path: '/Session', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ key: ADMIN_KEY }) })).status, 'another path').to.equal(401);
    expect(service.log).to.match(/"message":"request refused".*"path":"\/session".*"status":401.*"key_id":"nobody".*"why":"unknown key"/);
  });
});

describe('sessions while AUTH=off', () => {
  it('are not needed: everybody may do everything', async () => {
    const service = await InProcessService.ready();
    try {
      expect(parsed(await sendRaw(service.baseUrl, { path: '/session' }))).to.deep.equal({ key_id: null, name: null, role: 'admin', permissions: [], client_ids: null, expires_at: null });
      expect((await askToSignIn(service.baseUrl, ADMIN_KEY)).status).to.equal(400);
      expect((await sendRaw(service.baseUrl, { method: 'DELETE', path: '/session' })).status).to.equal(204);
    } finally {
      await service.close();
    }
  });
});

describe('sessions while Redis is frozen', () => {
  it('are neither taken nor refused for good, but answered with 503', async function () {
    this.timeout(60_000);
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, redis: redis.address });
    try {
      const session = await signIn(service.baseUrl, ADMIN_KEY);
      const status = async (): Promise<number> => (await sendRaw(service.baseUrl, { path: '/nothing', headers: { ...session } })).status;
      expect(await status()).to.equal(404);
      await redis.freeze();
      try {
        expect(await status()).to.equal(503);
        // A person sees a page that says so and comes back by itself; a program sees JSON as ever.
        const opened = await sendRaw(service.baseUrl, { path: '/admin/tasks', headers: { ...session, accept: 'text/html' } });
        expect(opened).to.deep.include({ status: 503 }).and.to.have.nested.property('headers.retry-after');
        expect(opened.text).to.include('<h1>Redis does not answer</h1>').and.include('http-equiv="refresh"');
        expect(parsed(await sendRaw(service.baseUrl, { path: '/admin/tasks', headers: { ...session } }))['code']).to.equal('redis_unavailable');
      } finally {
        redis.thaw();
      }
      await eventually(async () => { expect(await status()).to.equal(404); });
    } finally {
      await service.close();
      await redis.close();
    }
  });
});
