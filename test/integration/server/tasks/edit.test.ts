import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { unpackSearchFields } from '../../../../shared/queue/search/search-fields.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, domainTask, getTask, httpTask, retryNow, submit, submitNew, timeOf, uniqueId, waitForState, type Answer, type ShownTask, type WireTask } from '../../../support/tasks.js';

const HOUR_MS = 3_600_000;

interface Edited extends ShownTask {
  readonly policy: Readonly<Record<string, unknown>>;
  readonly destination: Readonly<Record<string, unknown>>;
}

describe('PATCH /tasks/:id', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = false;
    service = await InProcessService.ready({ dead: { attempts: 2, baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS } });
    receiver = await createReceiver();
    for (const path of ['/old', '/new']) receiver.on(path, () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    receiver.on('/fails', { kind: 'answer', status: 500 });
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/old'), { initial_delay: 3_600, ...changes });

  function parking(changes: Partial<WireTask> = {}): WireTask {
    const { dead_destination: _none, ...task } = httpTask(receiver.url('/fails'), { id: uniqueId('parked'), on_exhausted: 'park', ...changes });
    return task;
  }

  function patch(id: string, body: unknown, query = '', type = 'application/json'): Promise<Answer> {
    return call(service.baseUrl, `/tasks/${encodeURIComponent(id)}${query}`, { method: 'PATCH', headers: { 'content-type': type, 'x-operator': 'Anna' }, body: JSON.stringify(body) });
  }

  async function patched(id: string, body: unknown): Promise<Edited> {
    const answer = await patch(id, body);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as unknown as Edited;
  }

  async function expectRefused(answer: Promise<Answer>, status: number, code: string): Promise<Answer> {
    const refused = await answer;
    expect([refused.status, refused.body['code']], JSON.stringify(refused.body)).to.deep.equal([status, code]);
    return refused;
  }

  async function submission(id: string): Promise<Readonly<Record<string, unknown>>> {
    const { status, body } = await call(service.baseUrl, `/tasks/${encodeURIComponent(id)}/submission`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body;
  }

  async function jobHash(id: string): Promise<Readonly<Record<string, string>>> {
    const [shard] = await service.queue.shards();
    return service.redis.hgetall(shard?.keys.job(id) ?? '');
  }

  const sent = (id: string): (readonly [path: string, body: string, run: string | undefined, edit: string | undefined])[] =>
    receiver.requestsFor(id).map(({ path, body, headers }) => [path, body.toString(), headers['x-retry-run'], headers['x-retry-edit']] as const);

  it('changes a task that waits, which is sent changed at its old time, and says so in a header', async () => {
    await service.startWorker();
    const task = waiting();
    await submitNew(service.baseUrl, task);
    const before = await getTask(service.baseUrl, task.id);
    const after = await patched(task.id, { destination: { url: receiver.url('/new') }, message_data: 'new', max_retries: 7, base_delay: 2.007, flow_key: 'tenant-7' });
    expect(after).to.deep.include({ edits: 1, next_attempt_at: before.next_attempt_at, destination: { url: receiver.url('/new') }, flow_key: 'tenant-7', message_bytes: 3 });
    expect(after.policy).to.deep.equal({ max_retries: 7, base_delay: 2.007, initial_delay: 3_600, max_delay: 86_400, jitter: 'none' });
    const [entry, ...more] = after.timeline;
    expect(more).to.deep.equal([]);
    expect(entry).to.deep.include({ kind: 'edited', by: { type: 'anonymous', id: null, name: null, operator: 'Anna' }, edit: 1, run: 1 });
    expect(timeOf(entry?.edited_at)).to.be.closeTo(Date.now(), 60_000);
    await retryNow(service.baseUrl, task.id);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(sent(task.id)).to.deep.equal([['/new', 'new', '1', '1']]);
  });

  it('sends a task that was never changed without that header', async () => {
    await service.startWorker();
    const task = httpTask(receiver.url('/old'));
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(sent(task.id)).to.deep.equal([['/old', task.message_data, '1', undefined]]);
  });

  it('leaves a running backoff and the history as they are', async () => {
    isDown = true;
    await service.startWorker();
    const task = httpTask(receiver.url('/old'), { max_retries: 3, base_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    const before = await waitForState(service.baseUrl, task.id, 'retrying');
    const after = await patched(task.id, { destination: { url: receiver.url('/new') }, max_retries: 1 });
    expect(after).to.deep.include({ state: 'retrying', attempt: 1, next_attempt_at: before.next_attempt_at });
    expect(after.timeline[0]).to.deep.equal(before.timeline[0]);
    isDown = false;
    await retryNow(service.baseUrl, task.id);
    const done = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(done.timeline.map(({ kind, outcome }) => outcome ?? kind)).to.deep.equal(['failed', 'edited', 'released', 'delivered']);
    expect(sent(task.id).map(([path, , , edit]) => [path, edit])).to.deep.equal([['/old', undefined], ['/new', '1']]);
  });

  for (const kind of ['parked', 'dead_lettered'] as const) {
    it(`changes a task that is ${kind} and sends nothing; each of three rounds of change and retry sends its own content`, async () => {
      await service.startWorker();
      const task = kind === 'parked' ? parking() : httpTask(receiver.url('/fails'), { dead_destination: { url: receiver.url('/dead') } });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, kind);
      for (const round of [1, 2, 3]) {
        const sends = receiver.requests.length;
        const shown = await patched(task.id, { message_data: `round ${round}` });
        expect(shown).to.deep.include({ state: kind, edits: round, run: round });
        expect(receiver.requests.length).to.equal(sends);
        // The same once more, as by a client that got no answer.
        expect(await patched(task.id, { message_data: `round ${round}` })).to.deep.equal(shown);
        if (round === 3) await patched(task.id, { destination: { url: receiver.url('/new') } });
        expect((await retryNow(service.baseUrl, task.id)).body).to.include({ run: round + 1 });
        await waitForState(service.baseUrl, task.id, round === 3 ? 'delivered' : kind);
      }
      const deliveries = receiver.requestsFor(task.id).filter(({ path }) => path !== '/dead').map(({ path, body, headers }) => [path, body.toString(), headers['x-retry-run'], headers['x-retry-edit']]);
      expect(deliveries).to.deep.equal([
        ['/fails', task.message_data, '1', undefined],
        ['/fails', 'round 1', '2', '1'],
        ['/fails', 'round 2', '3', '2'],
        ['/new', 'round 3', '4', '4'],
      ]);
      // Dead letters carry it as well.
      const dead = receiver.requestsFor(task.id).filter(({ path }) => path === '/dead').map(({ headers }) => headers['x-retry-edit']);
      expect(dead).to.deep.equal(kind === 'parked' ? [] : [undefined, '1', '2']);
    });
  }

  it('answers a change that changes nothing with the task, and leaves no trace', async () => {
    const task = waiting({ flow_key: 'a' });
    await submitNew(service.baseUrl, task);
    const before = await getTask(service.baseUrl, task.id);
    const hash = await jobHash(task.id);
    for (const body of [{}, { flow_key: 'a' }, { max_retries: 0, max_delay: null, is_priority: null, on_exhausted: null }, { destination: { url: receiver.url('/old') } }]) {
      expect(await patched(task.id, body)).to.deep.equal({ ...before });
    }
    expect(await jobHash(task.id)).to.deep.equal(hash);
    expect(service.log).to.not.include(`"target":"${task.id}"`);
    const audited = async (): Promise<readonly Readonly<Record<string, unknown>>[]> =>
      (await call(service.baseUrl, `/audit?target=${task.id}`)).body['entries'] as readonly Readonly<Record<string, unknown>>[];
    expect(await audited()).to.deep.equal([]);
    await patched(task.id, { flow_key: null });
    await patched(task.id, { flow_key: null });
    const [entry, ...more] = await audited();
    expect(more).to.deep.equal([]);
    expect(entry).to.deep.include({ action: 'task.edit', outcome: 'done', count: 1, after: { flow_key: null } });
    await eventually(() => { expect(service.log).to.match(new RegExp(`"action":"task.edit"[^\\n]*"target":"${task.id}"`)); });
  });

  it('mends a task with a flow_key that is refused now, and leaves that as it is, or takes it away', async () => {
    const task = domainTask({ flowKey: '*' });
    await service.queue.submit(task);
    expect((await patched(task.id, { destination: { url: receiver.url('/new') } })).destination['url']).to.equal(receiver.url('/new'));
    expect((await submission(task.id))['flow_key']).to.equal('*');
    await expectRefused(patch(task.id, { flow_key: '..' }), 400, 'invalid_task');
    await patched(task.id, { flow_key: null });
    await expectRefused(patch(task.id, { flow_key: '*' }), 400, 'invalid_task');
  });

  it('takes null for the default', async () => {
    const task = waiting({ flow_key: 'a', is_priority: true, max_delay: 5, jitter: 'full' });
    await submitNew(service.baseUrl, task);
    const after = await patched(task.id, { flow_key: null, is_priority: null, max_delay: null, jitter: null });
    expect(after).to.include({ flow_key: null });
    expect(after).to.include({ is_priority: false });
    expect(after.policy).to.include({ max_delay: 86_400, jitter: 'none' });
  });

  it('answers 409 being_sent while a worker has the task, and finished when it has ended, and changes nothing', async () => {
    await service.startWorker();
    const slow = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, slow);
    await eventually(() => { expect(receiver.requestsFor(slow.id)).to.have.lengthOf(1); });
    await expectRefused(patch(slow.id, { max_retries: 9 }), 409, 'being_sent');
    await waitForState(service.baseUrl, slow.id, 'delivered');
    const cancelled = waiting();
    await submitNew(service.baseUrl, cancelled);
    await cancel(service.baseUrl, cancelled.id);
    for (const [id, word] of [[slow.id, 'delivered'], [cancelled.id, 'cancelled']] as const) {
      const { body } = await expectRefused(patch(id, { max_retries: 9 }), 409, 'finished');
      expect(body['error']).to.include(word);
      expect(await getTask(service.baseUrl, id)).to.include({ edits: 0 });
    }
    await expectRefused(patch('unknown', { max_retries: 9 }), 404, 'task_not_found');
  });

  for (const [name, body, field] of [
    ['the id', { id: 'other' }, 'id'],
    ['the source', { source: 'other' }, 'source'],
    ['the client', { client_id: 'other' }, 'client_id'],
    ['the initial delay', { initial_delay: 1 }, 'initial_delay'],
    ['an unknown field', { maxRetries: 1 }, 'maxRetries'],
    ['__proto__', JSON.parse('{"__proto__":{"id":"x"}}'), '__proto__'],
    ['a reason in the body', { reason: 'because' }, 'reason'],
    ['a wrong value', { max_retries: -1 }, 'max_retries'],
    ['a text for a number', { max_retries: '1' }, 'max_retries'],
    ['a needed field that is taken away', { message_data: null }, 'message_data'],
    ['a destination that is taken away', { destination: null }, 'destination'],
    ['a part of a destination', { destination: {} }, 'destination.url'],
    ['another type without its destination', { destination_type: 'kafka' }, 'destination.topic'],
    ['no dead destination', { dead_destination: null }, 'dead_destination'],
    ['an array', [], ''],
    ['a text', 'x', ''],
    ['null', null, ''],
  ] as const) {
    it(`refuses ${name}, and changes nothing`, async () => {
      const task = waiting();
      await submitNew(service.baseUrl, task);
      const before = await jobHash(task.id);
      const { body: refusal } = await expectRefused(patch(task.id, body), 400, 'invalid_task');
      const details = refusal['details'] as readonly { field: string }[];
      expect(details.map((each) => each.field)).to.include(field);
      expect(await jobHash(task.id)).to.deep.equal(before);
    });
  }

  it('takes application/merge-patch+json', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    expect((await patch(task.id, { max_retries: 3 }, '?reason=more%20time', 'application/merge-patch+json')).status).to.equal(200);
    expect((await patch(task.id, { max_retries: 4 }, '', 'text/plain')).status).to.equal(415);
  });

  it('moves a task to another type of destination, and keeps the type of its dead destination', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    const after = await patched(task.id, { destination_type: 'kafka', destination: { topic: 'orders' } });
    expect(after).to.deep.include({ destination_type: 'kafka', destination: { topic: 'orders' }, dead_destination_type: 'http', dead_destination: { url: 'http://127.0.0.1:9/dead' } });
    expect(unpackSearchFields((await jobHash(task.id))[jobField.search] ?? '')).to.include({ destinationType: 'kafka', host: 'kafka://default', path: '/orders' });
    expect((await jobHash(task.id))[jobField.name]).to.equal('kafka orders@default');
  });

  it('moves a due task to its new place in line', async () => {
    const ids = ['a', 'b', 'c'].map((name) => uniqueId(name));
    for (const id of ids) await submitNew(service.baseUrl, httpTask(receiver.url('/old'), { id, ...(id === ids[0] ? { is_priority: true } : {}) }));
    await patched(ids[2] ?? '', { is_priority: true });
    await patched(ids[0] ?? '', { is_priority: false });
    await service.startWorker({ concurrency: 1 });
    for (const id of ids) await waitForState(service.baseUrl, id, 'delivered');
    expect(receiver.requests.map(({ taskId }) => taskId)).to.deep.equal([ids[2], ids[1], ids[0]]);
  });

  it('gives a task that waits for its time the place in line that it has then', async () => {
    const [first, second] = [waiting(), waiting()];
    for (const task of [first, second]) await submitNew(service.baseUrl, task);
    await patched(second.id, { is_priority: true });
    for (const { id } of [first, second]) await retryNow(service.baseUrl, id);
    await service.startWorker({ concurrency: 1 });
    for (const { id } of [first, second]) await waitForState(service.baseUrl, id, 'delivered');
    expect(receiver.requests.map(({ taskId }) => taskId)).to.deep.equal([second.id, first.id]);
  });

  it('makes a task that flow control holds due at once, and takes it out of the waiting list of its old destination', async () => {
    const other = await createReceiver();
    try {
      const origin = encodeURIComponent(new URL(receiver.url('/')).origin);
      expect((await call(service.baseUrl, `/destinations/${origin}/pause`, { method: 'POST' })).status).to.equal(200);
      await service.startWorker();
      const tasks = Array.from({ length: 5 }, () => httpTask(receiver.url('/old')));
      for (const task of tasks) await submitNew(service.baseUrl, task);
      const deferred = async (): Promise<unknown> => (await call(service.baseUrl, `/destinations/${origin}`)).body['deferred'];
      await eventually(async () => { expect(await deferred()).to.equal(5); });
      const [moved, stays] = tasks;
      await patched(moved?.id ?? '', { destination: { url: other.url('/new') } });
      await waitForState(service.baseUrl, moved?.id ?? '', 'delivered');
      expect(other.requestsFor(moved?.id ?? '')).to.have.lengthOf(1);
      await patched(stays?.id ?? '', { max_retries: 5 });
      await eventually(async () => { expect(await deferred()).to.equal(4); });
      expect(receiver.requests).to.deep.equal([]);
      expect((await call(service.baseUrl, `/destinations/${origin}/resume`, { method: 'POST' })).status).to.equal(200);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
      expect(receiver.requests.map(({ taskId }) => taskId).sort()).to.deep.equal(tasks.slice(1).map(({ id }) => id).sort());
      expect(sent(stays?.id ?? '').map(([, , , edit]) => edit)).to.deep.equal(['1']);
    } finally {
      await other.close();
    }
  });

  it('changes where a dead letter that waits for its next try goes, and does not take its destination away', async () => {
    await service.startWorker();
    const task = httpTask(receiver.url('/fails'), { dead_destination: { url: receiver.url('/fails') } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettering');
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).waiting_for?.code).to.equal('dead_backoff'); });
    const { body } = await expectRefused(patch(task.id, { dead_destination: null, on_exhausted: 'park' }), 400, 'invalid_task');
    expect(body['error']).to.include('dead_destination');
    await patched(task.id, { dead_destination: { url: receiver.url('/new') } });
    await retryNow(service.baseUrl, task.id);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(sent(task.id).at(-1)).to.deep.equal(['/new', task.message_data, '1', '1']);
  });

  it('compares a repeated submission with what was first accepted', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await patched(task.id, { message_data: 'new' });
    const again = await submit(service.baseUrl, task);
    expect([again.status, again.body['is_duplicate']]).to.deep.equal([200, true]);
    await expectRefused(submit(service.baseUrl, { ...task, message_data: 'new' }), 409, 'conflict');
    expect((await submission(task.id))['message_data']).to.equal('new');
  });

  it('begins anew with the next submission of the id', async () => {
    await service.startWorker();
    const task = parking();
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    await patched(task.id, { message_data: 'mended', destination: { url: receiver.url('/new') } });
    await cancel(service.baseUrl, task.id);
    await submitNew(service.baseUrl, waiting({ id: task.id }));
    expect(await getTask(service.baseUrl, task.id)).to.deep.include({ edits: 0, run: 1, timeline: [] });
    expect(unpackSearchFields((await jobHash(task.id))[jobField.search] ?? '')).to.include({ path: '/old' });
  });

  it('keeps every character of a message and every digit of a number', async () => {
    const message_data = '{"a":23958446825181076828,"b":-7210194211959421178,"c":1.10,"d":1E400,"e":"\u2028","e":2}';
    const task = waiting({ message_data, base_delay: 0.1234567, max_delay: 86_399.999 });
    await submitNew(service.baseUrl, task);
    await patched(task.id, { max_retries: 3 });
    expect(await submission(task.id)).to.include({ message_data, base_delay: 0.1234567, max_delay: 86_399.999 });
    await service.startWorker();
    await retryNow(service.baseUrl, task.id);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(sent(task.id).map(([, body]) => body)).to.deep.equal([message_data]);
  });

  it('changes the search fields with the task', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await patched(task.id, { destination: { url: 'https://api.example.com/orders' }, flow_key: 'tenant-7', message_data: '12345' });
    expect(unpackSearchFields((await jobHash(task.id))[jobField.search] ?? '')).to.include({ host: 'https://api.example.com', path: '/orders', flowKey: 'tenant-7', messageBytes: 5 });
  });

  it('keeps the last 20 changes in the timeline, and the attempts beside them', async () => {
    isDown = true;
    await service.startWorker();
    const task = httpTask(receiver.url('/old'), { max_retries: 3, base_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'retrying');
    for (let nth = 1; nth <= 25; nth += 1) await patched(task.id, { message_data: `${nth}` });
    const shown = await getTask(service.baseUrl, task.id);
    const entries = shown.timeline;
    expect(entries.map(({ kind, edit, attempt }) => [kind, edit ?? attempt])).to.deep.equal([['attempt', 0], ...Array.from({ length: 20 }, (_, nth) => ['edited', nth + 6])]);
    expect(shown).to.deep.include({ edits: 25, attempt: 1, state: 'retrying' });
  });

  describe('and secrets', () => {
    const withLogin = (path: string, login: string): string => receiver.url(path).replace('//', `//${login}@`);

    it('shows the task as it could be posted, with *** for what is secret', async () => {
      const { dead_destination: _none, ...rest } = waiting();
      const task: WireTask = { ...rest, destination: { url: 'https://user:pass%20word@api.example.com/a?b=c#d' }, dead_destination_type: 'kafka', dead_destination: { topic: 'dead', key: 'k', headers: { token: 'secret', empty: '' } } };
      await submitNew(service.baseUrl, task);
      expect(await submission(task.id)).to.deep.equal({
        ...task,
        destination: { url: 'https://user:***@api.example.com/a?b=c#d' },
        dead_destination: { topic: 'dead', key: 'k', headers: { token: '***', empty: '***' } },
        on_exhausted: 'dead_letter',
        max_delay: 86_400,
        jitter: 'none',
        is_priority: false,
      });
    });

    it('shows nothing but what could be posted again as the same task, where there is no secret', async () => {
      const task = waiting({ flow_key: 'a', is_priority: true, base_delay: 0.7 });
      await submitNew(service.baseUrl, task);
      expect((await submit(service.baseUrl, (await submission(task.id)) as unknown as WireTask)).status).to.equal(200);
      expect((await call(service.baseUrl, '/tasks/unknown/submission')).status).to.equal(404);
    });

    it('keeps a password that was not shown while the origin stays, and sends it', async () => {
      await service.startWorker();
      const task = waiting({ destination: { url: withLogin('/old', 'user:secret') } });
      await submitNew(service.baseUrl, task);
      await patched(task.id, { destination: { url: withLogin('/new', 'user:***') } });
      await retryNow(service.baseUrl, task.id);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(receiver.requestsFor(task.id).map(({ path, headers }) => [path, headers['authorization']])).to.deep.equal([['/new', `Basic ${Buffer.from('user:secret').toString('base64')}`]]);
      expect(await jobHash(task.id).then((hash) => hash[jobField.data])).to.not.include('***');
    });

    for (const [name, url] of [
      ['another host', (origin: URL) => `http://user:***@localhost:${origin.port}/new`],
      ['another port', () => 'http://user:***@127.0.0.1:9/new'],
      ['another scheme', (origin: URL) => `https://user:***@127.0.0.1:${origin.port}/new`],
    ] as const) {
      it(`never takes a password over to ${name}`, async () => {
        const task = waiting({ destination: { url: withLogin('/old', 'user:secret') } });
        await submitNew(service.baseUrl, task);
        const { body } = await expectRefused(patch(task.id, { destination: { url: url(new URL(receiver.url('/'))) } }), 400, 'invalid_task');
        expect((body['details'] as readonly { field: string }[]).map(({ field }) => field)).to.deep.equal(['destination.url']);
        expect(await getTask(service.baseUrl, task.id)).to.include({ edits: 0 });
      });
    }

    it('drops a password that is left out: a destination is replaced as a whole', async () => {
      const task = waiting({ destination: { url: withLogin('/old', 'user:secret') } });
      await submitNew(service.baseUrl, task);
      await patched(task.id, { destination: { url: receiver.url('/new') } });
      expect((await jobHash(task.id))[jobField.data]).to.not.include('secret');
    });

    it('keeps the values of Kafka headers while the cluster stays', async () => {
      const kafka = { destination_type: 'kafka', dead_destination_type: 'http' } as const;
      const task: WireTask = { ...waiting(), ...kafka, destination: { host: 'Broker-1', port: 9092, topic: 'a', headers: { token: 'secret', other: 'x' } } };
      await submitNew(service.baseUrl, task);
      const headers = { token: '***', added: 'y' };
      await patched(task.id, { destination: { host: 'broker-1', port: '9092', topic: 'b', headers } });
      expect((await jobHash(task.id))[jobField.data]).to.include('"token":"secret"').and.to.include('"added":"y"').and.not.include('other');
      for (const destination of [{ topic: 'b', headers }, { host: 'broker-2', port: 9092, topic: 'b', headers }, { host: 'broker-1', port: 9092, topic: 'b', headers: { unknown: '***' } }]) {
        await expectRefused(patch(task.id, { destination }), 400, 'invalid_task');
      }
      expect((await jobHash(task.id))[jobField.data]).to.include('"token":"secret"');
    });

    it('refuses *** as a password, as a lone user, and as the value of a header of a new task', async () => {
      const headers = { token: '***' };
      for (const changes of [
        { destination: { url: withLogin('/old', 'user:***') } },
        { destination: { url: withLogin('/old', '***') } },
        { dead_destination: { url: withLogin('/old', 'user:***') } },
        { dead_destination_type: 'kafka', dead_destination: { topic: 'dead', headers } },
      ] as const) {
        const { body } = await expectRefused(submit(service.baseUrl, waiting(changes)), 400, 'invalid_task');
        expect(body['error']).to.include('***');
      }
      await submitNew(service.baseUrl, waiting({ destination: { url: `${receiver.url('/***')}?a=***` }, message_data: '***' }));
    });
  });

  it('lets a worker take either the old task or the new one, never a mixture, however often they race', async () => {
    let failures = 0;
    for (const path of ['/old', '/new']) receiver.on(path, () => ({ kind: 'answer', status: (failures += 1) % 3 === 0 ? 404 : 200 }));
    await service.startWorker({ concurrency: 20 });
    const rounds = 25;
    const each = 20;
    for (let round = 0; round < rounds; round += 1) {
      const tasks = Array.from({ length: each }, (_, nth) => httpTask(receiver.url('/old'), { id: uniqueId(`race-${round}-${nth}`), max_retries: 50, base_delay: 0.005, message_data: 'old' }));
      const answers = await Promise.all(
        tasks.map(async (task, nth) => {
          await submitNew(service.baseUrl, task);
          // Some are changed while they wait for a slot, others while they are sent or wait for their next attempt.
          await new Promise((resolve) => setTimeout(resolve, nth % 7));
          return patch(task.id, { message_data: 'new', destination: { url: receiver.url('/new') } });
        }),
      );
      for (const [nth, { id }] of tasks.entries()) {
        const answer = answers[nth];
        expect([200, 409], JSON.stringify(answer?.body)).to.include(answer?.status);
        const done = await waitForState(service.baseUrl, id, 'delivered');
        const sends = sent(id).map(([path, body, , edit]) => `${path} ${body} ${edit ?? 0}`);
        const [old, changed] = ['/old old 0', '/new new 1'];
        expect(sends.every((send) => send === old || send === changed), sends.join('; ')).to.equal(true);
        // Once it was sent changed, it is never sent as it was.
        expect(sends.lastIndexOf(old), sends.join('; ')).to.be.lessThan(sends.includes(changed) ? sends.indexOf(changed) : Infinity);
        expect(sends.at(-1), String(answer?.status)).to.equal(answer?.status === 200 ? changed : old);
        const entries = done.timeline;
        expect(entries.filter(({ kind }) => kind === 'edited')).to.have.lengthOf(answer?.status === 200 ? 1 : 0);
        expect(entries.filter(({ kind }) => kind === 'attempt'), 'the history stays').to.have.lengthOf(sends.length);
      }
    }
  }).timeout(120_000);

  it('moves tasks out of the waiting list of a limited destination while it is being woken, and loses none', async () => {
    const other = await createReceiver();
    try {
      receiver.on('/limited', { kind: 'answer', delayMs: 20 });
      const origin = new URL(receiver.url('/')).origin;
      const limits = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"max_concurrency":1}' };
      expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(origin)}`, limits)).status).to.equal(200);
      await service.startWorker({ concurrency: 20 });
      const tasks = Array.from({ length: 120 }, (_, nth) => httpTask(receiver.url('/limited'), { id: uniqueId(`limited-${nth}`), message_data: 'old' }));
      for (const task of tasks) await submitNew(service.baseUrl, task);
      const answers = await Promise.all(tasks.map(async ({ id }, nth) => (nth % 2 === 0 ? undefined : patch(id, { destination: { url: other.url('/new') }, message_data: 'new' }))));
      for (const [nth, { id }] of tasks.entries()) {
        const isMoved = answers[nth]?.status === 200;
        expect(answers[nth] === undefined || [200, 409].includes(answers[nth].status), JSON.stringify(answers[nth]?.body)).to.equal(true);
        await waitForState(service.baseUrl, id, 'delivered', { withinMs: 60_000 });
        const [here, there] = [receiver, other].map((each) => each.requestsFor(id).map(({ body, headers }) => `${body.toString()} ${headers['x-retry-edit'] ?? 0}`));
        expect([here, there]).to.deep.equal(isMoved ? [[], ['new 1']] : [['old 0'], []]);
      }
      expect(answers.filter((answer) => answer?.status === 200).length).to.be.greaterThan(5);
      const [shard] = await service.queue.shards();
      await eventually(async () => { expect(await service.redis.zcard(shard?.keys.waitingLists ?? '')).to.equal(0); }, { withinMs: 20_000 });
    } finally {
      await other.close();
    }
  }).timeout(120_000);

  it('lets of many changes at once each see the one before it', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    const answers = await Promise.all(Array.from({ length: 8 }, (_, nth) => patch(task.id, { [nth % 2 === 0 ? 'max_retries' : 'message_data']: nth % 2 === 0 ? nth + 1 : `message ${nth}` })));
    for (const { status, body } of answers) expect(status, JSON.stringify(body)).to.equal(200);
    expect(await getTask(service.baseUrl, task.id)).to.include({ edits: 8 });
  });
});
