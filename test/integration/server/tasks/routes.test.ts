import { request } from 'node:http';
import { gzipSync } from 'node:zlib';

import { expect } from 'chai';

import { createReceiver, failingFirst, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, domainTask, getTask, getTaskAnswer, httpTask, submitNew, timeOf, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const MAX_MESSAGE_BYTES = 1_000;

interface RawAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

describe('POST /tasks', () => {
  let service: InProcessService;

  before(async () => { service = await InProcessService.ready({ maxMessageBytes: MAX_MESSAGE_BYTES }); });
  after(() => service.close());

  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, ...changes });

  /** A request as it is, without what fetch would mend. */
  function post(body: string | Buffer, headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' }, isChunked = false): Promise<RawAnswer> {
    const length: Record<string, string> = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const sent = request(`${service.baseUrl}/tasks`, { method: 'POST', agent: false, headers: { ...length, ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => { resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as RawAnswer['body'] }); });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  describe('refuses, and stores nothing of', () => {
    const json = { 'content-type': 'application/json' };
    const id = uniqueId('refused');
    const task = waiting({ id });
    const text = JSON.stringify(task);
    const tooLong = 'x'.repeat(6 * MAX_MESSAGE_BYTES + 65_536);
    const oversized = JSON.stringify({ ...task, message_data: tooLong });

    const storedJobs = async (): Promise<string[]> => (await service.redis.keys(`${service.prefix}:*:t-*`)).sort();

    let before: string[];
    beforeEach(async () => { before = await storedJobs(); });
    afterEach(async () => {
      expect((await getTaskAnswer(service.baseUrl, id)).status).to.equal(404);
      expect(await storedJobs()).to.deep.equal(before);
    });

    const table: readonly (readonly [name: string, send: () => Promise<RawAnswer>, status: number, code: string])[] = [
      ['a body without a content type', () => post(text, {}), 415, 'unsupported_media_type'],
      ['a form', () => post(text, { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported_media_type'],
      ['text', () => post(text, { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
      ['another charset', () => post(Buffer.from(text, 'utf16le'), { 'content-type': 'application/json; charset=utf-16le' }), 415, 'unsupported_media_type'],
      ['a compressed body', () => post(gzipSync(text), { ...json, 'content-encoding': 'gzip' }), 415, 'unsupported_media_type'],
      ['no body', () => post(''), 400, 'invalid_json'],
      ['half a body', () => post(text.slice(0, -1)), 400, 'invalid_json'],
      ['something behind the task', () => post(`${text} x`), 400, 'invalid_json'],
      ['two tasks', () => post(`${text}${text}`), 400, 'invalid_json'],
      ['bytes that are no UTF-8', () => post(Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff]), Buffer.from(text.slice(-2))])), 400, 'invalid_json'],
      ['a list of tasks', () => post(`[${text}]`), 400, 'invalid_task'],
      ['null', () => post('null'), 400, 'invalid_task'],
      ['a text', () => post('"task"'), 400, 'invalid_task'],
      ['a number', () => post('1'), 400, 'invalid_task'],
      ['a hundred thousand lists in each other', () => post(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 413, 'too_large'],
      ['lists in each other, as deep as the limit of the body allows', () => post(`${'['.repeat(30_000)}${']'.repeat(30_000)}`), 400, 'invalid_task'],
      ['deep nesting inside a field', () => post(`${text.slice(0, -1)},"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`), 400, 'invalid_task'],
      ['an oversized body, announced', () => post(oversized), 413, 'too_large'],
      ['an oversized body, in chunks', () => post(oversized, json, true), 413, 'too_large'],
      ['a message that is too large', () => post(JSON.stringify({ ...task, message_data: 'x'.repeat(MAX_MESSAGE_BYTES + 1) })), 413, 'too_large'],
      ['a task that breaks a rule', () => post(JSON.stringify({ ...task, max_retries: -1 })), 400, 'invalid_task'],
      ['a task with an unknown key', () => post(JSON.stringify({ ...task, retries: 1 })), 400, 'invalid_task'],
    ];
    for (const [name, send, status, code] of table) {
      it(name, async () => {
        const answer = await send();
        expect([answer.status, answer.body['code']]).to.deep.equal([status, code]);
        expect(answer.body['error']).to.be.a('string').and.not.equal('');
      });
    }

    it('a request that is cut off in the middle', async () => {
      await new Promise<void>((resolve) => {
        const sent = request(`${service.baseUrl}/tasks`, { method: 'POST', agent: false, headers: { ...json, 'content-length': String(Buffer.byteLength(text)) } });
        sent.on('error', () => { resolve(); });
        sent.on('close', () => { resolve(); });
        sent.write(text.slice(0, -1), () => { sent.destroy(); });
      });
      // Behind it, on the way that the first would have gone: what it did is done when this is answered.
      expect((await post(text.slice(0, -1))).status).to.equal(400);
    });
  });

  it('names the call for many tasks to a client that sends them here', async () => {
    const task = JSON.stringify(waiting());
    const lines = `${task}\n${task}\n`;
    const said = async (body: string, type: string): Promise<unknown> => (await post(body, { 'content-type': type })).body['error'];
    for (const type of ['application/x-ndjson', 'application/jsonl', 'text/ndjson']) {
      expect(await said(lines, type)).to.match(/^Content-Type must be application\/json; POST \/tasks\/batch takes many tasks: .* Content-Type: application\/x-ndjson$/);
    }
    expect(await said(lines, 'application/json')).to.match(/^the body is not valid JSON at line 2, column 1: something stands behind .*; POST \/tasks\/batch takes many tasks: /);
    for (const many of ['{"a":1}\n'.repeat(4_000), `[${'{"a":1},'.repeat(4_000)}{}]`]) expect(await said(many, 'application/json')).to.match(/: it was not parsed; POST \/tasks\/batch takes many tasks: /);
    expect(await said(`[${task}]`, 'application/json')).to.contain('POST /tasks/batch takes an array of tasks');
    for (const other of [`${task} x`, task.slice(0, -1)]) expect(await said(other, 'application/json')).not.to.contain('batch');
    expect(await said(task, 'text/plain')).to.equal('Content-Type must be application/json');
  });

  it('names every violation with its field', async () => {
    const { status, body } = await post(JSON.stringify({ ...waiting(), id: '', base_delay: '1', nonsense: true }));
    expect(status).to.equal(400);
    const details = body['details'] as { field: string; message: string }[];
    expect(details.map(({ field }) => field)).to.have.members(['id', 'base_delay', 'nonsense']);
    for (const { message } of details) expect(message).to.be.a('string').and.not.equal('');
  });

  it('takes the largest message, though every character of it needs six in JSON', async () => {
    const message = '\u0001'.repeat(MAX_MESSAGE_BYTES);
    const task = waiting({ message_data: message });
    await submitNew(service.baseUrl, task);
    expect((await getTask(service.baseUrl, task.id, '?include=message_data')).message_data).to.equal(message);
  });

  it('takes a path with a slash at the end, and a +json type', async () => {
    const answer = await call(service.baseUrl, '/tasks/', { method: 'POST', headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' }, body: JSON.stringify(waiting()) });
    expect(answer.status).to.equal(201);
  });
});

describe('paths and methods that do not exist', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  const table: readonly (readonly [method: string, path: string, status: number, code: string, allow: string | null])[] = [
    ['POST', '/', 405, 'method_not_allowed', 'GET, HEAD, OPTIONS'],
    ['GET', '/nothing', 404, 'not_found', null],
    ['POST', '/taskss', 404, 'not_found', null],
    ['GET', '/tasks/a/b', 404, 'not_found', null],
    ['GET', '/tasks/unknown', 404, 'task_not_found', null],
    ['GET', '/tasks/%zz', 400, 'invalid_request', null],
    ['GET', '/tasks/%ff', 400, 'invalid_request', null],
    ['PUT', '/tasks', 405, 'method_not_allowed', 'GET, HEAD, POST, OPTIONS'],
    ['PUT', '/tasks/x', 405, 'method_not_allowed', 'GET, HEAD, PATCH, DELETE, OPTIONS'],
    ['POST', '/tasks/x', 405, 'method_not_allowed', 'GET, HEAD, PATCH, DELETE, OPTIONS'],
    ['DELETE', '/tasks', 405, 'method_not_allowed', 'GET, HEAD, POST, OPTIONS'],
    ['DELETE', '/tasks/unknown', 404, 'task_not_found', null],
    ['DELETE', '/tasks/%ff', 400, 'invalid_request', null],
    ['GET', '/tasks/x/retry', 405, 'method_not_allowed', 'POST, OPTIONS'],
    ['DELETE', '/tasks/x/retry', 405, 'method_not_allowed', 'POST, OPTIONS'],
    ['POST', '/tasks/unknown/retry', 404, 'task_not_found', null],
    ['POST', '/tasks/%zz/retry', 400, 'invalid_request', null],
    ['POST', '/stats', 405, 'method_not_allowed', 'GET, HEAD, OPTIONS'],
    ['POST', '/health', 405, 'method_not_allowed', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/livez', 405, 'method_not_allowed', 'GET, HEAD, OPTIONS'],
  ];
  for (const [method, path, status, code, allow] of table) {
    it(`${method} ${path} is ${status} ${code}, as JSON`, async () => {
      const { status: seen, body, headers } = await call(service.baseUrl, path, { method });
      expect([seen, body['code']]).to.deep.equal([status, code]);
      expect(body['error']).to.be.a('string').and.not.equal('');
      expect(headers.get('content-type')).to.match(/^application\/json/);
      expect(headers.get('allow')).to.equal(allow);
      expect(headers.get('x-powered-by')).to.equal(null);
    });
  }
});

describe('GET /tasks/:id', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  it('shows all of a task that waits, but its message and what may be secret in its url', async () => {
    const before = Date.now();
    const task = httpTask('http://user:secret@127.0.0.1:9/hook?a=1', { initial_delay: 60, base_delay: 0.5, max_delay: 10, max_retries: 3, is_priority: true, flow_key: 'tenant-7', message_data: 'ü' });
    await submitNew(service.baseUrl, task);
    const { created_at, next_attempt_at, ...shown } = await getTask(service.baseUrl, task.id);
    expect(timeOf(created_at)).to.be.within(before, Date.now());
    expect(timeOf(next_attempt_at)).to.equal(timeOf(created_at) + 60_000);
    expect(shown).to.deep.equal({
      id: task.id,
      state: 'scheduled',
      source: 'orders',
      client_id: 'team-a',
      run: 1,
      phase: 'delivery',
      attempts: 0,
      attempt: 0,
      updated_at: created_at,
      finished_at: null,
      waiting_for: { code: 'initial_delay', message: `the first send is at ${next_attempt_at ?? ''}` },
      dead_reason: null,
      edits: 0,
      destination_type: 'http',
      destination: { url: 'http://***@127.0.0.1:9/hook?...' },
      destination_key: 'http://127.0.0.1:9/hook',
      error_code: null,
      http_status: null,
      bulk_action_id: null,
      dead_destination_type: 'http',
      dead_destination: { url: 'http://127.0.0.1:9/dead' },
      on_exhausted: 'dead_letter',
      is_priority: true,
      flow_key: 'tenant-7',
      policy: { max_retries: 3, base_delay: 0.5, initial_delay: 60, max_delay: 10, jitter: 'none' },
      message_bytes: 2,
      timeline: [],
    });
  });

  it('is reached by fetch, as are DELETE and retry, whatever id is accepted', async () => {
    const ids = ['%2e', '%2E%2e', '...', 'a/../b', '../..', './', 'batch', 'retry', 'a|dead|1', 'x?y#z', '\\..\\', 'a  b', '\u00a0', '%', '%25', '//'];
    for (const id of ids) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 60 }));
    for (const id of ids) {
      const path = `/tasks/${encodeURIComponent(id)}`;
      expect((await call(service.baseUrl, path)).body['id'], id).to.equal(id);
      const sent = await call(service.baseUrl, `${path}/retry`, { method: 'POST' });
      expect([sent.status, sent.body['id']], id).to.deep.equal([202, id]);
      // It may be in the hands of the worker, or delivered, by now: what counts is that it is found.
      expect((await call(service.baseUrl, path, { method: 'DELETE' })).status, id).to.be.oneOf([200, 409]);
    }
  });

  for (const id of ['..', '.', ' a ', 'a|dead']) {
    it(`shows and delivers a task called ${JSON.stringify(id)}, which an older version has stored`, async () => {
      await service.queue.submit(domainTask({ id, destination: { type: 'http', url: receiver.url('/old') }, retryPolicy: { maxRetries: 0, initialDelayMs: 0, baseDelayMs: 1, maxDelayMs: 1, jitter: 'none' } }));
      expect((await waitForState(service.baseUrl, id, 'delivered')).id).to.equal(id);
      expect(receiver.requestsTo('/old').map(({ key }) => key)).to.include(`${id.replace(/^ /, '%20')}|0`);
    });
  }

  it('shows the fields of a Kafka destination, and the names of its headers without their values', async () => {
    const destination = { host: 'broker-1', port: 9092, topic: 'orders', key: 'k', headers: { a: 'b', empty: '' } };
    const { dead_destination: _none, ...task } = httpTask('', { destination_type: 'kafka', destination, on_exhausted: 'park', initial_delay: 60 });
    await submitNew(service.baseUrl, task);
    const { body } = await getTaskAnswer(service.baseUrl, task.id);
    expect(body).to.deep.include({ destination_type: 'kafka', destination: { ...destination, headers: { a: '***', empty: '***' } }, on_exhausted: 'park' });
    expect(body).to.not.have.any.keys('dead_destination', 'dead_destination_type');
  });

  it('shows a task that waits for its next attempt, with every attempt so far', async () => {
    receiver.on('/down', { kind: 'answer', status: 502, body: 'bad gateway' });
    const task = httpTask(receiver.url('/down'), { base_delay: 1_000, max_retries: 2 });
    await submitNew(service.baseUrl, task);
    const shown = await waitForState(service.baseUrl, task.id, 'retrying');
    expect(shown).to.include({ run: 1, phase: 'delivery', attempt: 1, finished_at: null });
    expect(shown.waiting_for?.code).to.equal('backoff');
    const [entry, ...more] = shown.timeline;
    expect(more).to.deep.equal([]);
    const { started_at, duration_ms, error, ...rest } = entry ?? {};
    expect(rest).to.deep.equal({ kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', outcome: 'failed', error_code: 'http_server_error', http_status: 502, next: 'retry', worker: 'in-process-1' });
    expect(error).to.match(/^http_server_error: .*bad gateway/);
    // Of another clock than the times, and each of the three is rounded.
    const roundedMs = 2;
    expect(timeOf(shown.next_attempt_at)).to.be.at.least(timeOf(started_at) + (duration_ms ?? NaN) + 1_000_000 - roundedMs);
  });

  it('shows a delivered task with the receipt', async () => {
    receiver.on('/third', failingFirst(2, { kind: 'answer', status: 500 }));
    const task = httpTask(receiver.url('/third'), { base_delay: 0.01, max_retries: 2 });
    await submitNew(service.baseUrl, task);
    const shown = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(shown).to.include({ run: 1, phase: 'delivery', attempt: 2, next_attempt_at: null, waiting_for: null, dead_reason: null });
    expect(timeOf(shown.finished_at)).to.be.within(timeOf(shown.created_at), Date.now());
    expect(shown.timeline.map(({ attempt, outcome, error_code, http_status }) => [attempt, outcome, error_code, http_status])).to.deep.equal([
      [0, 'failed', 'http_server_error', 500],
      [1, 'failed', 'http_server_error', 500],
      [2, 'delivered', null, 200],
    ]);
  });

  it('keeps the first and the newest of many attempts, with a count of those between', async () => {
    receiver.on('/down', { kind: 'answer', status: 500 });
    const task = httpTask(receiver.url('/down'), { base_delay: 0.001, max_delay: 0.001, max_retries: 40, dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    const { timeline } = await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(42);
    expect(timeline[0]).to.include({ attempt: 0, phase: 'delivery' });
    const numbered = timeline.filter(({ omitted }) => omitted === undefined);
    const omitted = timeline.reduce((sum, entry) => sum + (entry.omitted ?? 0), 0);
    expect(numbered.length + omitted).to.equal(42);
    expect(numbered.slice(-20).map(({ attempt, phase }) => `${String(phase)} ${String(attempt)}`)).to.deep.equal([
      ...Array.from({ length: 19 }, (_, index) => `delivery ${index + 22}`),
      'dead_letter 0',
    ]);
  });
});
