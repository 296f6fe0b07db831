import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../support/eventually.js';
import { waitUntilPauseIsKnown } from '../../../support/known-pause.js';
import { sendRaw } from '../../../support/raw-request.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService, type InProcessOptions } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

interface ShownDestination {
  readonly key: string;
  readonly kind: string;
  readonly id: string;
  readonly group: string | null;
  readonly in_flight: number;
  readonly deferred: number;
  readonly delivered: number;
  readonly failed: number;
  readonly failure_share: number;
  readonly latency_ms: { readonly p50: number | null; readonly p99: number | null };
  readonly circuit: { readonly state: string; readonly reason: string | null; readonly last_probe: { readonly task_id: string; readonly error_code: string } | null };
  readonly limits: object | null;
  readonly limited_by: string | null;
  readonly paused: { readonly key: string; readonly since: string | null; readonly until: string | null; readonly by: object | null; readonly reason: string | null } | null;
  readonly hint?: string | null;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const NO_TRAFFIC = { in_flight: 0, deferred: 0, delivered: 0, failed: 0, failure_share: 0, latency_ms: { p50: null, p99: null }, circuit: { state: 'closed', of: null, phase: null, since: null, until: null, reason: null, last_probe: null } };
const NO_LIMITS = { limits: null, limited_by: null, paused: null };
const API = { key: 'https://api.example.com', kind: 'host', id: '~aHR0cHM6Ly9hcGkuZXhhbXBsZS5jb20', group: 'https://api.example.com' };
const NOBODY = { type: 'anonymous', id: null, name: null, operator: null };

describe('/destinations', () => {
  let services: InProcessService[];
  let receiver: Receiver;
  let origin: string;
  let service: InProcessService;

  beforeEach(async () => {
    services = [];
    receiver = await createReceiver();
    origin = receiver.url('');
    service = await start();
  });
  afterEach(async () => {
    for (const each of services) await each.close();
    await receiver.close();
  });

  async function start(options: InProcessOptions = {}): Promise<InProcessService> {
    const started = await InProcessService.ready(options);
    services.push(started);
    return started;
  }

  function ask(method: string, key: string, action = '', body?: unknown): Promise<Answer> {
    return call(service.baseUrl, `/destinations/${encodeURIComponent(key)}${action}`, { method, ...(body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) }) });
  }

  async function done(answer: Promise<Answer>): Promise<ShownDestination> {
    const { status, body } = await answer;
    expect(status, JSON.stringify(body)).to.equal(200);
    return body as unknown as ShownDestination;
  }

  const show = (key: string): Promise<ShownDestination> => done(ask('GET', key));
  const set = (key: string, limits: object): Promise<ShownDestination> => done(ask('PUT', key, '', limits));

  async function list(query = ''): Promise<{ destinations: ShownDestination[]; total: number; workers: number; next_cursor: string | null }> {
    const { status, body } = await call(service.baseUrl, `/destinations${query}`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body as unknown as Awaited<ReturnType<typeof list>>;
  }

  async function submit(count: number, path = '/hook', changes: Partial<WireTask> = {}): Promise<WireTask[]> {
    const tasks = Array.from({ length: count }, () => httpTask(receiver.url(path), changes));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    return tasks;
  }

  async function waitForDelivery(tasks: readonly WireTask[]): Promise<void> {
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
  }

  it('shows zeros and no limits for a name that has not been used yet', async () => {
    expect(await show('tenant-7')).to.deep.equal({ key: 'tenant-7', kind: 'flow_key', id: '~dGVuYW50LTc', group: null, ...NO_TRAFFIC, ...NO_LIMITS, is_deferred_exact: true, is_complete: true, shards_away: [], known_at: null });
    expect(await show('kafka://default/orders')).to.include({ group: 'kafka://default' });
    expect(await list()).to.deep.equal({ destinations: [], total: 0, workers: 0, is_deferred_exact: true, is_complete: true, shards_away: [], known_at: null, next_cursor: null });
  });

  it('sets, shows, replaces and removes limits', async () => {
    const first = { max_concurrency: 10, rate: 2.5, burst: 3 };
    const held = { ...API, limits: first, limited_by: 'https://api.example.com', paused: null };
    expect(await set('https://api.example.com', first)).to.deep.equal({ ...NO_TRAFFIC, ...held, hint: 'no task for https://api.example.com has been seen lately: this change is about https://api.example.com alone, and holds for tasks that come', is_deferred_exact: true, is_complete: true, shards_away: [], known_at: null });
    expect((await list()).destinations).to.deep.equal([{ ...NO_TRAFFIC, ...held }]);
    expect(await set('https://api.example.com', { rate: 7, reason: 'it asks for less' })).to.deep.include({ limits: { rate: 7 }, paused: null });
    expect(await done(ask('DELETE', 'https://api.example.com'))).to.deep.include(NO_LIMITS);
    expect(await show('https://api.example.com')).to.deep.include(NO_LIMITS);
    expect(await done(ask('DELETE', 'https://api.example.com')), 'again').to.deep.include(NO_LIMITS);
    expect((await list()).total).to.equal(0);
  });

  it('forgets a destination for which nothing is set any more', async () => {
    await set('tenant-7', { max_concurrency: 1 });
    await set('tenant-7', {});
    await done(ask('POST', 'tenant-8', '/pause'));
    await done(ask('POST', 'tenant-8', '/resume'));
    expect(await list()).to.deep.equal({ destinations: [], total: 0, workers: 0, is_deferred_exact: true, is_complete: true, shards_away: [], known_at: null, next_cursor: null });
  });

  it('takes a pasted url for its endpoint, and one without a path for its origin', async () => {
    expect(await set('https://API.example.com/x?y=1', { rate: 1 })).to.include({ key: 'https://api.example.com/x', kind: 'endpoint', group: 'https://api.example.com' });
    expect(await done(ask('POST', 'https://user:secret@api.EXAMPLE.com/x#y', '/pause'))).to.deep.include({ key: 'https://api.example.com/x', limits: { rate: 1 } }).and.to.have.nested.property('paused.key', 'https://api.example.com/x');
    expect(await set('HTTPS://api.EXAMPLE.com:443', { rate: 2 })).to.include({ key: 'https://api.example.com', kind: 'host' });
    expect((await list()).destinations.map(({ key }) => key)).to.deep.equal(['https://api.example.com', 'https://api.example.com/x']);
    expect((await list('?group=https://api.example.com')).destinations.map(({ key }) => key)).to.deep.equal(['https://api.example.com/x']);
    expect((await list(`?group=${API.id}`)).destinations.map(({ key }) => key)).to.deep.equal(['https://api.example.com/x']);
  });

  for (const key of ['kafka://default/orders', 'a b/c?d#e', '%', '🚚', 'pause', '__proto__']) {
    it(`takes the name ${key}`, async () => {
      expect(await set(key, { max_concurrency: 2 })).to.deep.include({ key, limits: { max_concurrency: 2 } });
      expect((await list()).destinations.map((one) => one.key)).to.include(key);
    });
  }

  for (const segment of ['.', '..', '%2e', '%2E%2e', '.%2e']) {
    for (const [method, action] of [['GET', ''], ['PUT', ''], ['DELETE', ''], ['POST', '/pause'], ['POST', '/resume']] as const) {
      it(`refuses ${method} /destinations/${segment}${action}, which most clients take for another path`, async () => {
        const body = method === 'PUT' ? '{"rate":1}' : undefined;
        const { status, text } = await sendRaw(service.baseUrl, { method, path: `/destinations/${segment}${action}`, headers: JSON_TYPE, ...(body === undefined ? {} : { body }) });
        expect([status, JSON.parse(text)]).to.deep.include(400).and.to.have.nested.property('[1].code', 'invalid_request');
      });
    }
  }

  it('shows no password of a flow_key that is nearly a url, neither here nor where its tasks wait', async () => {
    const keys = ['https:user:hunter2@h/x', 'kafka://user:hunter2@h', ' https://user:hunter2@h', '//user:hunter2@h', 'HTTPS:\\\\user:hunter2@h', 'amqp://user:hunter2@h/x?hunter2', 'https://user:hun/hunter2@h'];
    for (const key of keys) await done(ask('POST', key, '/pause'));
    await service.startWorker();
    for (const key of keys) {
      const [task] = await submit(1, '/hook', { flow_key: key });
      const { waiting_for: waitingFor, ...shown } = await eventually(async () => {
        const found = await getTask(service.baseUrl, task?.id ?? '');
        expect(found.waiting_for?.code).to.equal('paused');
        return found;
      });
      expect(JSON.stringify([waitingFor, shown]), key).to.not.contain('hunter2');
    }
    const listed = await eventually(async () => {
      const named = (await list()).destinations.filter(({ key }) => key !== origin);
      expect(named.reduce((sum, { deferred }) => sum + deferred, 0)).to.equal(keys.length);
      return named.map(({ key }) => key);
    });
    expect(listed).to.have.members(['https://h', 'https://h/x', 'kafka://h', '//h', 'amqp://h/x']);
    for (const key of listed) expect((await show(key)).paused?.key, key).to.equal(key);
    for (const name of await service.redis.keys(`${service.prefix}:*`)) expect(name).to.not.contain('hunter2');
    expect(service.log).to.not.contain('hunter2');
  });

  it('keeps the limits through pause and resume, to the last digit, however many ask at once', async () => {
    const limits = { max_concurrency: 10, rate: 0.3333333333333333, burst: 2 };
    await set('tenant-7', limits);
    await Promise.all(Array.from({ length: 20 }, (_, nth) => done(ask('POST', 'tenant-7', nth % 2 === 0 ? '/pause' : '/resume'))));
    expect(await done(ask('POST', 'tenant-7', '/pause'))).to.deep.include({ limits }).and.to.have.nested.property('paused.key', 'tenant-7');
    expect(await done(ask('POST', 'tenant-7', '/resume'))).to.deep.include({ limits, paused: null });
  });

  it('keeps a pause while limits are set, replaced and removed', async () => {
    const { paused } = await done(ask('POST', 'tenant-7', '/pause', { reason: 'it is down' }));
    expect(paused).to.deep.include({ key: 'tenant-7', until: null, by: NOBODY, reason: 'it is down' });
    expect(await set('tenant-7', { rate: 1 })).to.deep.include({ limits: { rate: 1 }, paused });
    expect(await set('tenant-7', {})).to.deep.include({ limits: null, paused });
    expect(await done(ask('DELETE', 'tenant-7'))).to.deep.include({ limits: null, paused });
    expect(await done(ask('POST', 'tenant-7', '/resume'))).to.deep.include(NO_LIMITS);
  });

  it('says who paused, why, since when and until when; a second pause changes all but since when', async () => {
    const pauseAs = async (operator: string, query: string, body?: string): Promise<ShownDestination> =>
      done(call(service.baseUrl, `/destinations/tenant-7/pause${query}`, { method: 'POST', headers: { ...JSON_TYPE, 'x-operator': operator }, ...(body === undefined ? {} : { body }) }));
    const { paused: first } = await pauseAs('J%C3%BCrgen', '', '{"reason":"it is down","until":"2999-01-01T00:00:00Z"}');
    expect(first).to.deep.include({ key: 'tenant-7', until: '2999-01-01T00:00:00.000Z', by: { ...NOBODY, operator: 'J\u00fcrgen' }, reason: 'it is down' });
    expect(Math.abs(Date.parse(first?.since ?? '') - Date.now())).to.be.below(5_000);
    const { paused: second } = await pauseAs('anna', '?reason=still');
    expect(second).to.deep.equal({ key: 'tenant-7', since: first?.since, until: null, by: { ...NOBODY, operator: 'anna' }, reason: 'still' });
    expect((await show('tenant-7')).paused).to.deep.equal(second);
    const last = '9999-12-31T23:59:59.999Z';
    expect((await done(ask('POST', 'tenant-7', '/pause', { until: last }))).paused?.until).to.equal(last);
    // A change of the limits writes it anew.
    expect((await done(ask('PUT', 'tenant-7', '', { rate: 2.5 }))).paused).to.deep.include({ since: first?.since, until: last });
    const { paused: third } = await done(ask('POST', 'tenant-7', '/pause', { until: '+30m' }));
    expect(Date.parse(third?.until ?? '') - Date.now()).to.be.within(1_790_000, 1_810_000);
    expect(third).to.deep.include({ since: first?.since, by: NOBODY, reason: null });
  });

  it('takes null for what is left out: what an answer says of a pause can be sent as it is', async () => {
    const { paused } = await done(ask('POST', 'tenant-7', '/pause', { until: '+30m', reason: 'it is down' }));
    expect(paused?.until).to.be.a('string');
    const again = { until: null, reason: null };
    expect((await done(ask('POST', 'tenant-7', '/pause', again))).paused).to.deep.include(again);
    const reasoned = await call(service.baseUrl, '/destinations/tenant-7/pause?reason=still', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(again) });
    expect(reasoned.body).to.have.nested.property('paused.reason', 'still');
    expect(await set('tenant-7', { max_concurrency: 3, rate: null, burst: null, reason: null })).to.deep.include({ limits: { max_concurrency: 3 } });
    expect(await done(ask('POST', 'tenant-7', '/resume', { reason: null }))).to.deep.include({ paused: null });
  });

  it('names what may be said of a change where something else is said', async () => {
    for (const [path, body, said] of [
      ['/pause', { duration: '1h' }, 'duration is not taken here; known: reason, until'],
      ['/pause', { untill: '+1h' }, 'untill is not taken here: did you mean until?'],
      ['/resume', { until: '+1h' }, 'until is not taken here; known: reason'],
    ] as const) expect((await ask('POST', 'tenant-7', path, body)).body['error']).to.equal(said);
    expect((await ask('DELETE', 'tenant-7', '', { reason: 'x' })).body['error']).to.equal('this call takes no body: a reason stands in the query, ?reason=...');
  });

  it('refuses a pause that has ended before it begins', async () => {
    expect((await ask('POST', 'tenant-7', '/pause', { until: '2026-01-01T00:00:00Z' })).body['details']).to.deep.equal([{ field: 'until', message: 'until must be in the future' }]);
    expect((await show('tenant-7')).paused).to.equal(null);
  });

  it('still says that the group is paused when a part of it is resumed', async () => {
    await done(ask('POST', 'kafka://default', '/pause', { reason: 'upgrade' }));
    await done(ask('POST', 'kafka://default/orders', '/pause'));
    expect((await show('kafka://default/orders')).paused?.key).to.equal('kafka://default/orders');
    expect((await done(ask('POST', 'kafka://default/orders', '/resume'))).paused).to.deep.include({ key: 'kafka://default', reason: 'upgrade' });
    await done(ask('POST', '*', '/pause'));
    expect((await done(ask('POST', 'kafka://default', '/resume'))).paused?.key).to.equal('*');
    expect((await done(ask('POST', '*', '/resume')))).to.deep.include({ key: '*', kind: 'all', paused: null });
    expect((await show('kafka://default/orders')).paused).to.equal(null);
  });

  it('holds by a pause that version 0.1.0 has stored, and keeps its limits', async () => {
    const { controls } = flowKeys(service.prefix, false);
    await service.redis.hset(controls, 'p:tenant-7', '{"maxConcurrency":3,"isPaused":true}');
    await service.startWorker();
    const [task] = await submit(1, '/hook', { flow_key: 'tenant-7' });
    await eventually(async () => { expect((await show('tenant-7')).deferred).to.equal(1); });
    expect(await show('tenant-7')).to.deep.include({ limits: { max_concurrency: 3 }, paused: { key: 'tenant-7', since: null, until: null, by: null, reason: null } });
    expect((await getTask(service.baseUrl, task?.id ?? '')).waiting_for?.message).to.equal('tenant-7 was paused by an operator: nothing is sent there until it is resumed');
    expect(await done(ask('POST', 'tenant-7', '/resume'))).to.deep.include({ limits: { max_concurrency: 3 }, paused: null });
    await waitForState(service.baseUrl, task?.id ?? '', 'delivered');
  });

  it('takes a key as its id, percent-encoded, and encoded twice', async () => {
    const texts = [API.id, encodeURIComponent(API.id), API.id.replace('~', '%7E'), 'https%3A%2F%2Fapi.example.com', 'https%3a%2f%2fAPI.example.com', 'https%253A%252F%252Fapi.example.com', 'https:%2F%2Fapi.example.com'];
    for (const text of texts) {
      const { status, text: body } = await sendRaw(service.baseUrl, { method: 'GET', path: `/destinations/${text}` });
      expect([status, (JSON.parse(body) as ShownDestination).key], text).to.deep.equal([200, API.key]);
    }
    for (const [method, action] of [['PUT', ''], ['DELETE', ''], ['POST', '/pause'], ['POST', '/resume']] as const) {
      const { status, text } = await sendRaw(service.baseUrl, { method, path: `/destinations/${API.id}${action}`, ...(method === 'PUT' ? { headers: JSON_TYPE, body: '{}' } : {}) });
      expect([status, (JSON.parse(text) as ShownDestination).key], method + action).to.deep.equal([200, API.key]);
    }
    const { status, text } = await sendRaw(service.baseUrl, { method: 'GET', path: '/destinations/~tenant' });
    expect([status, text]).to.deep.include(400).and.to.have.property('1').that.includes('~fnRlbmFudA');
  });

  it('still knows everything after the API was started again', async () => {
    await set('tenant-7', { max_concurrency: 3 });
    await done(ask('POST', 'tenant-7', '/pause', { until: '2999-01-01T00:00:00Z', reason: 'it is down' }));
    const before = await list();
    await service.close();
    service = await start({ prefix: service.prefix });
    expect(await list()).to.deep.equal(before);
  });

  it('while everything is paused sends nothing, not even dead letters, and says so; then all of it goes', async () => {
    receiver.on('/down', { kind: 'answer', status: 400 });
    const held = await Promise.all([submit(20), submit(5, '/hook', { flow_key: 'tenant-7' }), submit(5, '/down', { dead_destination: { url: receiver.url('/dead') } })]);
    await done(ask('POST', '*', '/pause', { reason: 'the network is mended' }));
    await service.startWorker();
    await eventually(async () => { expect((await show('*')).deferred).to.equal(30); });
    expect(receiver.requests).to.have.lengthOf(0);
    const { destinations } = await list();
    expect(destinations[0]).to.include({ key: '*', kind: 'all', deferred: 30 });
    for (const { key, paused } of destinations) expect(paused, key).to.deep.include({ key: '*', reason: 'the network is mended' });
    expect((await getTask(service.baseUrl, held[0][0]?.id ?? '')).waiting_for?.message).to.match(/^everything \(\*\) was paused by an operator at \S+ \("the network is mended"\): nothing is sent anywhere until it is resumed$/);
    await done(ask('POST', '*', '/resume'));
    for (const tasks of held.slice(0, 2)) await waitForDelivery(tasks);
    for (const { id } of held[2]) await waitForState(service.baseUrl, id, 'dead_lettered');
    expect((await list()).destinations.filter(({ key }) => key === '*')).to.deep.equal([]);
  });

  it('holds dead letters that are due while everything is paused', async () => {
    // The attempt is under way when the operator pauses, and ends when the worker knows of it.
    const pause = async (): Promise<void> => {
      await done(ask('POST', '*', '/pause'));
      await waitUntilPauseIsKnown(service.baseUrl, () => httpTask(receiver.url('/hook')));
    };
    receiver.on('/down', () => ({ kind: 'answer', status: 400, after: pause() }));
    await service.startWorker();
    const [task] = await submit(1, '/down', { dead_destination: { url: receiver.url('/dead') } });
    await eventually(async () => {
      const { state, waiting_for } = await getTask(service.baseUrl, task?.id ?? '');
      expect([state, waiting_for?.code]).to.deep.equal(['dead_lettering', 'paused']);
    });
    expect(receiver.requestsTo('/dead')).to.have.lengthOf(0);
    await done(ask('POST', '*', '/resume'));
    await waitForState(service.baseUrl, task?.id ?? '', 'dead_lettered');
  });

  it('keeps a limit for everything, under which what has a nearer limit does not count', async () => {
    const other = await createReceiver();
    try {
      for (const each of [receiver, other]) each.on('/hook', { kind: 'answer', delayMs: 300 });
      await set('*', { max_concurrency: 2 });
      await set(other.url(''), { max_concurrency: 4 });
      await service.startWorker();
      await waitForDelivery([...await submit(12), ...await submit(12, '/hook', { destination: { url: other.url('/hook') } })]);
      expect([receiver.maxInFlight, other.maxInFlight]).to.deep.equal([2, 4]);
      expect(await show(origin)).to.deep.include({ limits: { max_concurrency: 2 }, limited_by: '*' });
      expect(await show(other.url(''))).to.deep.include({ limits: { max_concurrency: 4 }, limited_by: other.url('') });
    } finally {
      await other.close();
    }
  });

  it('sends again by itself when the pause is over, with no API there', async () => {
    const until = new Date(Date.now() + 6_000).toISOString();
    await set('tenant-7', { max_concurrency: 50 });
    await done(ask('POST', 'tenant-7', '/pause', { until }));
    const tasks = await submit(10, '/paused', { flow_key: 'tenant-7' });
    await service.startWorker();
    await eventually(async () => { expect((await show('tenant-7')).deferred).to.equal(10); });
    await service.stopApi();
    await receiver.waitForRequests(10, { path: '/paused', withinMs: 30_000 });
    const [first] = receiver.requestsTo('/paused');
    // The clocks of this process and of Redis are one here.
    expect((first?.arrivedAt ?? 0) - Date.parse(until), 'from the end of the pause to the first send, ms; else a deferred task comes back after a minute').to.be.within(-50, 15_000);
    const api = await start({ prefix: service.prefix });
    for (const { id } of tasks) await waitForState(api.baseUrl, id, 'delivered');
    const { controls } = flowKeys(service.prefix, false);
    await eventually(async () => { expect(await api.redis.hget(controls, 'p:tenant-7'), 'workers of 0.1.0 send again, too').to.equal('{"maxConcurrency":50}'); });
    expect(service.log.split('\n').filter((line) => line.includes('a pause is over: its tasks are sent again') && line.includes('tenant-7'))).to.have.lengthOf(1);
  }).timeout(30_000);

  describe('refuses', () => {
    const put = (body: string, type = 'application/json'): Promise<Answer> => call(service.baseUrl, '/destinations/a', { method: 'PUT', headers: { 'content-type': type }, body });
    const get = (path: string): Promise<Answer> => call(service.baseUrl, path);

    const refusals: readonly (readonly [title: string, request: () => Promise<Answer>, status: number, code: string, fields: readonly string[] | undefined])[] = [
      ['every violation at once', () => put('{"max_concurrency":0,"burst":2,"speed":1}'), 400, 'invalid_request', ['max_concurrency', 'burst', 'speed']],
      ['a body that is no object', () => put('[]'), 400, 'invalid_request', ['']],
      ['an empty body', () => put(''), 400, 'invalid_json', undefined],
      ['a body that is no JSON', () => put('{'), 400, 'invalid_json', undefined],
      ['a pause among limits', () => put('{"rate":1,"paused":true}'), 400, 'invalid_request', ['paused']],
      ['a body that is too large', () => put(`{"rate":1${' '.repeat(70_000)}}`), 413, 'too_large', undefined],
      ['another type of body', () => put('a=1', 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type', undefined],
      ['a name with a line break', () => get('/destinations/a%0Ab'), 400, 'invalid_request', ['key']],
      ['a path that is no percent-encoding', () => get('/destinations/%zz'), 400, 'invalid_request', undefined],
      ['a list without an end', () => get('/destinations?limit=1001'), 400, 'invalid_request', ['limit']],
      ['a cursor of nothing', () => get('/destinations?cursor=x'), 400, 'invalid_cursor', ['cursor']],
      ['a group that is no destination', () => get('/destinations?group=~x'), 400, 'invalid_request', ['group']],
      ['an endpoint as a group', () => get('/destinations?group=https://api.example.com/'), 400, 'invalid_request', ['group']],
      ['a topic as a group', () => get('/destinations?group=kafka://default/orders'), 400, 'invalid_request', ['group']],
      ['everything as a group', () => get('/destinations?group=*'), 400, 'invalid_request', ['group']],
      ['a key that is not encoded', () => get('/destinations/https://api.example.com'), 404, 'not_found', undefined],
      ['another method', () => call(service.baseUrl, '/destinations', { method: 'POST' }), 405, 'method_not_allowed', undefined],
    ];
    for (const [title, request, status, code, fields] of refusals) {
      it(title, async () => {
        const answer = await request();
        expect([answer.status, answer.body['code']], JSON.stringify(answer.body)).to.deep.equal([status, code]);
        if (fields !== undefined) expect((answer.body['details'] as { field: string }[]).map(({ field }) => field)).to.have.members(fields);
      });
    }

    it('changes nothing', async () => {
      await set('a', { rate: 1 });
      await put('{"rate":0}');
      expect(await show('a')).to.deep.include({ limits: { rate: 1 } });
    });
  });

  it('lists what workers see, the hottest first, and how many workers report', async () => {
    receiver.on('/hook', { kind: 'answer', delayMs: 20 });
    receiver.on('/hang', { kind: 'hang' });
    receiver.on('/down', { kind: 'answer', status: 400, delayMs: 20 });
    await service.startWorker();
    await service.startWorker();
    await waitForDelivery(await submit(6));
    await submit(6, '/down', { flow_key: 'tenant-7' });
    await submit(3, '/hang', { flow_key: 'tenant-8' });
    await eventually(async () => {
      const { destinations, workers } = await list();
      expect(workers).to.equal(2);
      expect(destinations.slice(0, 2).map(({ key }) => key), 'what is in flight, and of these what was').to.deep.equal([origin, 'tenant-8']);
      const of = new Map(destinations.map((one) => [one.key, one]));
      // A worker that has seen one task of a flow alone counts it for the host.
      expect(of.get('tenant-8')).to.include({ group: origin }).and.to.have.property('in_flight').that.is.within(1, 3);
      expect(of.get('tenant-7')).to.include({ group: origin, delivered: 0, failure_share: 1 }).and.to.have.property('failed').that.is.within(5, 6);
      const { latency_ms: { p50, p99 }, ...all } = of.get(origin) ?? (await show(origin));
      expect(all, 'all that goes there, whatever its flow_key').to.include({ key: origin, in_flight: 3, delivered: 6, failed: 6, failure_share: 0.5 });
      expect(p50).to.be.within(20, 200);
      expect(p99).to.be.at.least(p50 ?? Infinity);
    });
    const { destinations, total, next_cursor: next } = await list('?limit=1');
    expect([destinations.length, total >= 3]).to.deep.equal([1, true]);
    expect((await list(`?limit=1&cursor=${next ?? ''}`)).destinations[0]?.key).to.not.equal(destinations[0]?.key);
  });

  it('counts all that waits for a host, however many waiting lists there are', async () => {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const { keys } = shard;
    const fill = service.redis.pipeline();
    for (let nth = 0; nth < 2_600; nth += 1) {
      const host = `https://host-${nth % 2_500}.example.com`;
      const { id } = flowNamed(nth < 2_500 ? `${host}/orders` : 'tenant-7', host);
      fill.zadd(keys.waitingLists, 1_000 + nth, id).zadd(keys.waitingList(id), 1_000, 'one', 1_001, 'other');
    }
    await fill.exec();
    expect((await list('?limit=1')).total, 'hosts, their endpoints, and the flow_key').to.equal(5_001);
    expect(await show('https://host-2.example.com')).to.include({ deferred: 4 });
    expect(await show('https://host-2499.example.com')).to.include({ deferred: 2, is_deferred_exact: true });
    expect(await show('tenant-7')).to.include({ deferred: 200 });
  });

  it('pauses and limits one endpoint, and leaves the others of its host alone; says so when nothing is sent to it', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 50 });
    await done(ask('POST', receiver.url('/paused'), '/pause', { reason: 'it is down' }));
    await set(receiver.url('/slow'), { max_concurrency: 2 });
    await service.startWorker();
    const paused = await submit(5, '/paused');
    await waitForDelivery([...await submit(5), ...await submit(12, '/slow')]);
    expect(receiver.maxInFlight).to.be.at.most(7);
    await eventually(async () => { expect(await show(receiver.url('/paused'))).to.deep.include({ kind: 'endpoint', group: origin, deferred: 5 }).and.to.have.nested.property('paused.reason', 'it is down'); });
    expect(receiver.requestsTo('/paused')).to.have.lengthOf(0);
    expect((await getTask(service.baseUrl, paused[0]?.id ?? '')).waiting_for?.message).to.match(new RegExp(`^${receiver.url('/paused')} was paused by an operator at `));
    expect(await show(receiver.url('/slow'))).to.deep.include({ limits: { max_concurrency: 2 }, limited_by: receiver.url('/slow'), paused: null });
    await eventually(async () => { expect((await list(`?group=${encodeURIComponent(origin)}`)).destinations.map(({ key }) => key)).to.have.members(['/paused', '/slow', '/hook'].map((path) => receiver.url(path))); });
    expect((await done(ask('POST', receiver.url('/other'), '/pause'))).hint).to.include(`no task for ${receiver.url('/other')} has been seen lately`);
    expect((await done(ask('POST', receiver.url('/paused'), '/resume'))).hint).to.equal(null);
    await waitForDelivery(paused);
  });

  it('lists, without a worker, what tasks have failed for', async () => {
    service = await start({ shards: 4 });
    receiver.on('/down', { kind: 'answer', status: 400 });
    const worker = await service.startWorker();
    const tasks = [...await submit(4, '/down', { dead_destination: { url: receiver.url('/dead') } }), ...await submit(1, '/down', { dead_destination: { url: receiver.url('/dead') }, flow_key: 'tenant-7' })];
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'dead_lettered');
    await worker.stop(0);
    // A worker's report counts for 5 s.
    await eventually(async () => {
      const { destinations, workers } = await list();
      expect(workers).to.equal(0);
      expect(destinations.map(({ key }) => key)).to.deep.equal([origin, receiver.url('/down'), 'tenant-7']);
    }, { withinMs: 15_000 });
  }).timeout(30_000);

  for (const shards of [1, 4]) {
    it(`stops and starts one destination only, with ${shards} shard(s)`, async () => {
      service = await start({ shards });
      await done(ask('POST', 'tenant-7', '/pause'));
      await service.startWorker();
      const others = await submit(5);
      const paused = await submit(20, '/paused', { flow_key: 'tenant-7' });
      await waitForDelivery(others);
      await eventually(async () => { expect(await show('tenant-7')).to.include({ group: origin, deferred: 20 }).and.to.have.nested.property('paused.key', 'tenant-7'); });
      expect(receiver.requestsTo('/paused')).to.have.lengthOf(0);
      await done(ask('POST', 'tenant-7', '/resume'));
      // By itself a deferred task comes back after a minute.
      await receiver.waitForRequests(1, { path: '/paused' });
      await waitForDelivery(paused);
      expect(await show('tenant-7')).to.include({ deferred: 0, paused: null });
    });
  }

  it('stops soon what is under way at full speed', async () => {
    await service.startWorker();
    receiver.on('/hook', { kind: 'answer', delayMs: 200 });
    const tasks = (await Promise.all(Array.from({ length: 40 }, () => submit(10)))).flat();
    await receiver.waitForRequests(20);
    const pausedAt = Date.now();
    await done(ask('POST', origin, '/pause'));
    await eventually(async () => { expect(await show(origin)).to.include({ in_flight: 0, deferred: tasks.length - receiver.requests.length }); });
    const sent = receiver.requests.length;
    expect((receiver.requests.at(-1)?.arrivedAt ?? Infinity) - pausedAt, 'until the last send, ms').to.be.below(5_000);
    expect(sent).to.be.below(tasks.length);
    await done(ask('POST', origin, '/resume'));
    await waitForDelivery(tasks);
  });

  it('keeps a limit over two workers', async () => {
    receiver.on('/hook', { kind: 'answer', delayMs: 50 });
    await set(origin, { max_concurrency: 3 });
    await service.startWorker();
    await service.startWorker();
    await waitForDelivery(await submit(30));
    expect(receiver.maxInFlight).to.equal(3);
  });

  it('takes up a limit that is set while tasks are sent, and lets go when it is removed', async () => {
    receiver.on('/hook', { kind: 'answer', delayMs: 200 });
    await service.startWorker();
    const tasks = (await Promise.all(Array.from({ length: 40 }, () => submit(10)))).flat();
    await receiver.waitForRequests(20);
    await set(origin, { rate: 2 });
    await eventually(() => { expect(Date.now() - (receiver.requests.at(-1)?.arrivedAt ?? 0), 'since the last send, ms').to.be.above(300); });
    expect(receiver.requests.length).to.be.below(tasks.length);
    await done(ask('DELETE', origin));
    await waitForDelivery(tasks);
  });

  for (const resumed of ['/hook', '']) {
    it(`shows the open circuit of an endpoint and its last probe, and resume of ${resumed === '' ? 'its host' : 'it'} closes it`, async () => {
      let isDown = true;
      receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
      await service.startWorker({ circuit: { failuresInARow: 3, baseCoolMs: 100, maxCoolMs: 60_000 } });
      const tasks = await submit(12, '/hook', { max_retries: 5, base_delay: 0.01 });
      const { circuit } = await eventually(async () => {
        const shown = await show(receiver.url('/hook'));
        expect(shown.circuit.state).to.equal('open');
        expect(shown.circuit.last_probe?.error_code).to.equal('http_server_error');
        expect(shown.deferred).to.equal(12);
        return shown;
      });
      expect(circuit).to.include({ state: 'open', of: 'endpoint', phase: 'delivery', reason: 'failures' }).and.to.have.all.keys('state', 'of', 'phase', 'since', 'until', 'reason', 'last_probe');
      expect(tasks.map(({ id }) => id)).to.include(circuit.last_probe?.task_id);
      expect((await list()).destinations.map(({ key }) => key)).to.include(receiver.url('/hook'));
      isDown = false;
      await done(ask('POST', receiver.url(resumed), '/resume'));
      expect((await show(receiver.url('/hook'))).circuit.state).to.equal('closed');
      await waitForDelivery(tasks);
    });
  }

  it('shows the circuit of a flow_key that nothing was sent to for long, and resume closes it', async () => {
    const { id } = flowNamed('tenant-8', origin);
    const { now } = await service.queue.fleet.withFlow((store) => store.snapshot([]));
    await service.queue.fleet.withFlow((store) => store.openCircuit(id, { openedAt: now - 70_000, until: now + 60_000, coolMs: 60_000, reason: 'failures' }));
    const listed = (await list()).destinations.find(({ key }) => key === 'tenant-8');
    for (const one of [await show('tenant-8'), listed]) expect(one).to.deep.include({ group: origin, deferred: 0 }).and.to.have.nested.property('circuit.state', 'open');
    expect((await done(ask('POST', 'tenant-8', '/resume'))).circuit.state).to.equal('closed');
    expect((await service.queue.fleet.withFlow((store) => store.snapshotOfAll())).circuits).to.have.property('size', 0);
  });

  it('of a flow_key that goes to several destinations shows the one in trouble, and resume closes the circuits of all', async () => {
    let isDown = true;
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    const other = origin.replace('127.0.0.1', 'localhost');
    await service.startWorker({ circuit: { failuresInARow: 3, baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    const changes = { flow_key: 'tenant-9', max_retries: 5, base_delay: 0.01 };
    const tasks = [...await submit(12, '/hook', changes), ...await submit(12, '/hook', { ...changes, destination: { url: `${other}/hook` } })];
    await eventually(async () => {
      const { circuit, deferred } = await show('tenant-9');
      expect([circuit.state, deferred]).to.deep.equal(['open', 24]);
    });
    isDown = false;
    expect((await done(ask('POST', 'tenant-9', '/resume'))).circuit.state).to.equal('closed');
    await waitForDelivery(tasks);
  });
});
