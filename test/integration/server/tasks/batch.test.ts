import { request, type ClientRequest } from 'node:http';

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { getTask, getTaskAnswer, httpTask, submit, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const MAX_MESSAGE_BYTES = 1_000;
const MAX_TASK_BYTES = 6 * MAX_MESSAGE_BYTES + 65_536;
const MAX_BATCH_BYTES = 32 * 1_048_576;

interface Result {
  readonly index: number;
  readonly status: number;
  readonly id?: string;
  readonly code?: string;
  readonly error?: string;
  readonly details?: readonly { readonly field: string }[];
  readonly [field: string]: unknown;
}

interface BatchAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: {
    readonly counts: Readonly<Record<string, number>>;
    readonly results: readonly Result[];
    readonly truncated?: { readonly index: number; readonly status: number; readonly code: string };
    readonly code?: string;
  };
}

type Format = 'application/json' | 'application/x-ndjson' | 'application/jsonl';

const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, ...changes });

/** What a batch is made of: tasks as they are, and texts that are none. */
function print(tasks: readonly (object | string)[], format: Format): string {
  const texts = tasks.map((task) => (typeof task === 'string' ? task : JSON.stringify(task)));
  return format === 'application/json' ? `[${texts.join(',')}]` : `${texts.join('\n')}\n`;
}

function open(baseUrl: string, headers: Readonly<Record<string, string | number>>): { sent: ClientRequest; answered: Promise<BatchAnswer> } {
  const sent = request(`${baseUrl}/tasks/batch`, { method: 'POST', agent: false, headers });
  const answered = new Promise<BatchAnswer>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body: JSON.parse(Buffer.concat(chunks).toString()) as BatchAnswer['body'] });
      });
    });
  });
  return { sent, answered };
}

function post(baseUrl: string, body: string | Buffer, format: string): Promise<BatchAnswer> {
  const { sent, answered } = open(baseUrl, { 'content-type': format, 'content-length': Buffer.byteLength(body) });
  sent.end(body);
  return answered;
}

const statusesOf = ({ body }: BatchAnswer): number[] => body.results.map(({ status }) => status);

describe('POST /tasks/batch', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isRedisAboveMark = false;

  before(async () => {
    service = await InProcessService.ready({ maxMessageBytes: MAX_MESSAGE_BYTES, isRedisAboveMark: () => isRedisAboveMark });
    receiver = await createReceiver();
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });
  afterEach(() => { isRedisAboveMark = false; });

  const storedJobs = async (): Promise<number> => (await service.redis.keys(`${service.prefix}:*:t-*`)).length;

  for (const format of ['application/json', 'application/x-ndjson', 'application/jsonl'] as const) {
    describe(format, () => {
      const send = (tasks: readonly (object | string)[]): Promise<BatchAnswer> => post(service.baseUrl, print(tasks, format), format);

      it('stores 1,000 tasks and answers for each, in order, as POST /tasks does', async () => {
        const tasks = Array.from({ length: 1_000 }, (_, index) => waiting({ message_data: `message ${index}` }));
        const { status, body } = await send(tasks);
        expect(status).to.equal(207);
        expect(body.counts).to.deep.equal({ total: 1_000, created: 1_000, already_scheduled: 0, refused: 0, failed: 0 });
        expect(body.results.map(({ index, id, status: one }) => [index, id, one])).to.deep.equal(tasks.map(({ id }, index) => [index, id, 201]));
        const [first] = tasks;
        expect(body.results[0]).to.include({ message: `Task ${String(first?.id)} scheduled successfully`, state: 'scheduled', run: 1 });
        for (const index of [0, 499, 999]) {
          const shown = await getTask(service.baseUrl, tasks[index]?.id ?? '', '?include=message_data');
          expect([shown.message_data, shown.next_attempt_at]).to.deep.equal([`message ${index}`, body.results[index]?.['next_attempt_at']]);
        }
      });

      it('answers each bad task as POST /tasks does, and stores the others', async () => {
        const [good, last] = [waiting(), waiting()];
        const bad: readonly (object | string)[] = [
          { ...waiting(), max_retries: -1, nonsense: true },
          '{"id":',
          'null',
          '[]',
          { ...waiting(), message_data: 'x'.repeat(MAX_MESSAGE_BYTES + 1) },
          { ...waiting(), message_data: 'x'.repeat(MAX_TASK_BYTES) },
        ].filter((task) => format !== 'application/json' || task !== '{"id":');
        const answer = await send([good, ...bad, last]);
        const results = answer.body.results;
        expect([results[0]?.status, results.at(-1)?.status]).to.deep.equal([201, 201]);
        expect(results.map(({ index }) => index)).to.deep.equal(results.map((_, index) => index));
        for (const [index, task] of bad.entries()) {
          const { status, body } = await submitText(typeof task === 'string' ? task : JSON.stringify(task));
          const result = results[index + 1];
          expect([result?.status, result?.code], String(index)).to.deep.equal([status, body['code']]);
          // Of broken JSON, and of what is too large, the texts say which part it was.
          if (status !== 413 && body['code'] !== 'invalid_json') expect([result?.error, result?.details]).to.deep.equal([body['error'], body['details']]);
        }
        const { id } = bad[0] as WireTask;
        expect(results[1]?.id).to.equal(id);
        expect(answer.body.counts).to.deep.equal({ total: bad.length + 2, created: 2, already_scheduled: 0, refused: bad.length, failed: 0 });
      });

      it('treats the same id as if the tasks came one after the other', async () => {
        const task = waiting();
        const before = Array.from({ length: 150 }, () => waiting());
        const answer = await send([task, ...before, task, { ...task, message_data: 'other' }, task]);
        expect(statusesOf(answer)).to.deep.equal([201, ...before.map(() => 201), 200, 409, 200]);
        const [first, second] = [answer.body.results[0], answer.body.results[151]];
        expect(second).to.deep.include({ message: `Task ${task.id} is already scheduled`, id: task.id, state: 'scheduled', run: 1, next_attempt_at: first?.['next_attempt_at'] });
        expect(answer.body.results[152]?.code).to.equal('conflict');
        expect((await getTask(service.baseUrl, task.id, '?include=message_data')).message_data).to.equal(task.message_data);
      });

      it('treats the same id so in different groups, too', async () => {
        const tasks = Array.from({ length: 600 }, () => waiting());
        const answer = await send([...tasks, ...tasks, ...tasks.map((task) => ({ ...task, max_retries: 1 }))]);
        expect(statusesOf(answer)).to.deep.equal([...tasks.map(() => 201), ...tasks.map(() => 200), ...tasks.map(() => 409)]);
        expect(answer.body.counts).to.deep.include({ total: 1_800, created: 600, already_scheduled: 600, refused: 600 });
      });

      it('starts one new run of a task that was delivered, however often its id is in it', async () => {
        const task = httpTask(receiver.url('/'));
        await submitNew(service.baseUrl, task);
        await waitForState(service.baseUrl, task.id, 'delivered');
        const again = { ...task, initial_delay: 3_600 };
        const answer = await send([again, again, task, waiting(), again]);
        expect(statusesOf(answer)).to.deep.equal([201, 200, 409, 201, 200]);
        expect(answer.body.results[0]?.['run']).to.equal(2);
      });

      it('takes tasks that are due now, later, and before others in one batch, the same id among them', async () => {
        const [now, later, urgent] = [httpTask(receiver.url('/')), waiting(), httpTask(receiver.url('/'), { is_priority: true })];
        const urgentLater = waiting({ is_priority: true });
        const answer = await send([now, later, urgent, urgentLater, { ...later, initial_delay: 0 }, { ...later, is_priority: true }, later, urgentLater]);
        expect(statusesOf(answer)).to.deep.equal([201, 201, 201, 201, 409, 409, 200, 200]);
        for (const { id } of [now, urgent]) await waitForState(service.baseUrl, id, 'delivered');
        for (const { id } of [later, urgentLater]) expect((await getTask(service.baseUrl, id)).state).to.equal('scheduled');
      });

      it('answers an empty batch with no results', async () => {
        const { status, body } = await send([]);
        expect([status, body.counts['total'], body.results]).to.deep.equal([207, 0, []]);
      });

      it('answers 503 with Retry-After for all when Redis is above its mark, but 400 for a task that is wrong', async () => {
        isRedisAboveMark = true;
        const answer = await send([waiting(), { id: 'wrong' }, waiting()]);
        expect([answer.status, answer.retryAfter, answer.body.code]).to.deep.equal([503, '5', 'redis_full']);
        expect(statusesOf(answer)).to.deep.equal([503, 400, 503]);
        expect(answer.body.counts).to.deep.equal({ total: 3, created: 0, already_scheduled: 0, refused: 1, failed: 2 });
      });

      it('gives back a batch that is refused for its faults at a length that it can answer for', async () => {
        const wide = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`${'k'.repeat(200)}${index}`, 1]));
        const answer = await send(Array.from({ length: 2_000 }, () => wide));
        expect(statusesOf(answer).every((status) => status === 400)).to.equal(true);
        expect(answer.body.results[0]?.details).to.be.an('array');
        expect(answer.body.results.at(-1)).to.not.have.property('details');
        expect(JSON.stringify(answer.body).length).to.be.below(9 * 1_048_576);
      });
    });
  }

  async function submitText(text: string): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
    const response = await fetch(`${service.baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  describe('as a JSON array', () => {
    const refused: readonly (readonly [name: string, body: () => string | Buffer, type: string, status: number, code: string])[] = [
      ['one task', () => JSON.stringify(waiting()), 'application/json', 400, 'invalid_json'],
      ['half an array', () => print([waiting(), waiting()], 'application/json').slice(0, -1), 'application/json', 400, 'invalid_json'],
      ['an array with something behind it', () => `${print([waiting()], 'application/json')} x`, 'application/json', 400, 'invalid_json'],
      ['no body', () => '', 'application/json', 400, 'invalid_json'],
      ['10,001 tasks', () => print(Array.from({ length: 10_001 }, () => waiting()), 'application/json'), 'application/json', 413, 'too_large'],
      ['more than 32 MiB', () => print([waiting(), waiting({ source: 'x'.repeat(MAX_BATCH_BYTES) })], 'application/json'), 'application/json', 413, 'too_large'],
      ['text', () => print([waiting()], 'application/json'), 'text/plain', 415, 'unsupported_media_type'],
    ];
    for (const [name, body, type, status, code] of refused) {
      it(`refuses ${name} as a whole, and stores nothing`, async () => {
        const before = await storedJobs();
        const answer = await post(service.baseUrl, body(), type);
        expect([answer.status, answer.body.code, answer.body.results]).to.deep.equal([status, code, undefined]);
        expect(await storedJobs()).to.equal(before);
      });
    }

    it('gives a broken element its own 400, where its end can be told', async () => {
      expect(statusesOf(await post(service.baseUrl, print([waiting(), '{"id":}', waiting()], 'application/json'), 'application/json'))).to.deep.equal([201, 400, 201]);
    });

    it('gives bytes that are no UTF-8 their own 400', async () => {
      const body = Buffer.concat([Buffer.from(`[${JSON.stringify(waiting())},{"id":"`), Buffer.from([0xff]), Buffer.from(`"},${JSON.stringify(waiting())}]`)]);
      expect(statusesOf(await post(service.baseUrl, body, 'application/json'))).to.deep.equal([201, 400, 201]);
    });

    it('takes 32 MiB of brackets for what it is', async () => {
      const half = MAX_BATCH_BYTES / 2;
      const answer = await post(service.baseUrl, `${'['.repeat(half)}${']'.repeat(half)}`, 'application/json');
      expect([answer.status, statusesOf(answer)]).to.deep.equal([207, [413]]);
    });
  });

  describe('as NDJSON', () => {
    const ndjson = 'application/x-ndjson';

    it('passes over empty lines, takes \\r\\n, and needs no end of line behind the last task', async () => {
      const [first, second, third] = [waiting(), waiting(), waiting()];
      const body = `\n \r\n${JSON.stringify(first)}\r\n\n\t\n${JSON.stringify(second)}\n\n${JSON.stringify(third)}`;
      const { body: { results } } = await post(service.baseUrl, body, ndjson);
      expect(results.map(({ index, status, id }) => [index, status, id])).to.deep.equal([first, second, third].map(({ id }, index) => [index, 201, id]));
    });

    it('reads lines however they are cut into pieces', async () => {
      const tasks = [waiting({ message_data: 'ü🚚' }), waiting()];
      const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson });
      for (const byte of Buffer.from(print(tasks, ndjson))) sent.write(Buffer.from([byte]));
      sent.end();
      expect(statusesOf(await answered)).to.deep.equal([201, 201]);
      expect((await getTask(service.baseUrl, tasks[0]?.id ?? '', '?include=message_data')).message_data).to.equal('ü🚚');
    });

    it('stores a task while those behind it are still to come', async () => {
      const [early, late] = [waiting(), waiting()];
      const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson });
      sent.write(`${JSON.stringify(early)}\n`);
      await eventually(async () => { expect((await getTaskAnswer(service.baseUrl, early.id)).status).to.equal(200); });
      sent.end(JSON.stringify(late));
      expect(statusesOf(await answered)).to.deep.equal([201, 201]);
    });

    it('gives a line that is too long its own 413, and a line that is no UTF-8 its own 400', async () => {
      const lines = [JSON.stringify(waiting()), 'x'.repeat(MAX_TASK_BYTES + 1), JSON.stringify(waiting()), Buffer.from([0x22, 0xff, 0x22]), JSON.stringify(waiting())];
      const body = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]));
      const answer = await post(service.baseUrl, body, ndjson);
      expect(answer.body.results.map(({ status, code }) => [status, code])).to.deep.equal([[201, undefined], [413, 'too_large'], [201, undefined], [400, 'invalid_json'], [201, undefined]]);
    });

    it('stores 10,000 tasks, and of more says where it stopped', async () => {
      const tasks = Array.from({ length: 10_002 }, () => waiting());
      const whole = await post(service.baseUrl, `${print(tasks.slice(0, 10_000), ndjson)}\n\n`, ndjson);
      expect(whole.body.counts).to.include({ total: 10_000, created: 10_000 });
      expect(whole.body).to.not.have.property('truncated');

      const answer = await post(service.baseUrl, print(tasks, ndjson), ndjson);
      expect(answer.status).to.equal(207);
      expect(answer.body.counts).to.include({ total: 10_000, already_scheduled: 10_000 });
      expect(answer.body.truncated).to.include({ index: 10_000, status: 413, code: 'too_large' });
      for (const { id } of tasks.slice(10_000)) expect((await getTaskAnswer(service.baseUrl, id)).status).to.equal(404);
    });

    it('stores what stands whole in the first 32 MiB, and says where it stopped', async () => {
      const tasks = Array.from({ length: 600 }, () => waiting({ source: 'x'.repeat(60_000) }));
      const [first, ...rest] = tasks.map((task, index) => (index === 0 ? waiting() : task));
      const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson, 'transfer-encoding': 'chunked' });
      sent.end(print([first ?? {}, ...rest], ndjson));
      const { status, body } = await answered;
      const lineBytes = JSON.stringify(rest[0]).length + 1;
      const fitting = 1 + Math.floor((MAX_BATCH_BYTES - JSON.stringify(first).length - 1) / lineBytes);
      expect([status, body.results.length, body.truncated?.index, body.truncated?.code]).to.deep.equal([207, fitting, fitting, 'too_large']);
      expect(body.counts).to.include({ created: 1, refused: fitting - 1 });
    });

    it('refuses a body that is announced to be larger than 32 MiB before it comes', async () => {
      const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson, 'content-length': MAX_BATCH_BYTES + 1 });
      sent.flushHeaders();
      const { status, body } = await answered;
      sent.destroy();
      expect([status, body.code]).to.deep.equal([413, 'too_large']);
    });

    it('keeps what it has stored of a request that is cut off in the middle, leaves the line that was cut, and goes on', async () => {
      const [whole, cut] = [waiting(), waiting()];
      const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson });
      const isCut = answered.then(() => false, () => true);
      sent.write(`${JSON.stringify(whole)}\n${JSON.stringify(cut)}`);
      await eventually(async () => { expect((await getTaskAnswer(service.baseUrl, whole.id)).status).to.equal(200); });
      sent.destroy();
      expect(await isCut).to.equal(true);
      expect((await submit(service.baseUrl, whole)).status).to.equal(200);
      expect((await getTaskAnswer(service.baseUrl, cut.id)).status).to.equal(404);
    });

    it('survives twenty clients that go away in the middle of many tasks', async () => {
      const tasks = Array.from({ length: 500 }, () => waiting());
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { sent, answered } = open(service.baseUrl, { 'content-type': ndjson });
          sent.write(print(tasks, ndjson), () => { sent.destroy(); });
          expect(await answered.then(() => 'answered', () => 'cut')).to.equal('cut');
        }),
      );
      expect(statusesOf(await post(service.baseUrl, print([waiting()], ndjson), ndjson))).to.deep.equal([201]);
    });
  });
});

describe('POST /tasks/batch while Redis is away', () => {
  let redis: PrivateRedis;
  let service: InProcessService;

  beforeEach(async () => {
    redis = await PrivateRedis.start();
    service = await InProcessService.ready({ redis: redis.address });
  });
  afterEach(async () => {
    await service.close();
    await redis.close();
  });

  const batch = (): string => print([...Array.from({ length: 1_000 }, () => waiting()), { id: uniqueId() }], 'application/x-ndjson');

  for (const [name, take] of [['dead', () => redis.kill()], ['frozen', () => redis.freeze()]] as const) {
    it(`answers 503 with Retry-After, and a result for each, when Redis is ${name}: after one time limit, not after many`, async () => {
      await take();
      const startedAt = performance.now();
      const answer = await post(service.baseUrl, batch(), 'application/x-ndjson');
      // Six calls of 200 tasks each would take six limits of 0.9 s.
      expect(performance.now() - startedAt, 'ms').to.be.below(4_500);
      expect([answer.status, answer.retryAfter, answer.body.code]).to.deep.equal([503, '1', 'redis_unavailable']);
      expect(answer.body.counts).to.deep.equal({ total: 1_001, created: 0, already_scheduled: 0, refused: 1, failed: 1_000 });
      expect(answer.body.results.at(-1)).to.include({ index: 1_000, status: 400 });
    });
  }

  it('goes on with a long upload when Redis is back', async () => {
    const { sent, answered } = open(service.baseUrl, { 'content-type': 'application/x-ndjson' });
    const tasks = [waiting(), waiting()];
    const [first, second] = tasks;
    sent.write(`${JSON.stringify(first)}\n`);
    await eventually(async () => { expect((await getTaskAnswer(service.baseUrl, first?.id ?? '')).status).to.equal(200); });
    await redis.freeze();
    sent.write(`${JSON.stringify(second)}\n`);
    // Both are asked behind it, one after the other, so the time limit of the task is over when the second one's is.
    for (let asked = 0; asked < 2; asked += 1) expect((await getTaskAnswer(service.baseUrl, second?.id ?? '')).status).to.equal(503);
    redis.thaw();
    await eventually(async () => {
      const latest = tasks.at(-1)?.id ?? '';
      const next = waiting();
      tasks.push(next);
      sent.write(`${JSON.stringify(next)}\n`);
      // Not the one that was just written: it may reach Redis later than the question.
      expect((await getTaskAnswer(service.baseUrl, latest)).status).to.equal(200);
    });
    sent.end();
    const answer = await answered;
    const statuses = statusesOf(answer);
    expect([answer.status, statuses.length, statuses[0], statuses[1], statuses.at(-1)]).to.deep.equal([207, tasks.length, 201, 503, 201]);
  });

  it('answers 207 when Redis dies behind the first task: 201 for that, 503 for the others', async () => {
    const { sent, answered } = open(service.baseUrl, { 'content-type': 'application/x-ndjson' });
    const first = waiting();
    sent.write(`${JSON.stringify(first)}\n`);
    await eventually(async () => { expect((await getTaskAnswer(service.baseUrl, first.id)).status).to.equal(200); });
    await redis.kill();
    sent.end(print([waiting(), waiting()], 'application/x-ndjson'));
    const answer = await answered;
    expect([answer.status, answer.retryAfter, statusesOf(answer)]).to.deep.equal([207, undefined, [201, 503, 503]]);
  });
});
