import { expect } from 'chai';

import { ApiError, NoAnswerError, WaitTimeoutError } from '../../../client/api-error.js';
import type { SubmitResult, Task } from '../../../client/answers.js';
import { RetryClient } from '../../../client/retry-client.js';
import { eventually } from '../../support/eventually.js';
import { LosingProxy, type Fate, type SeenRequest } from '../../support/losing-proxy.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { InProcessService } from '../../support/service-in-process.js';
import { httpTask, uniqueId, waitForState } from '../../support/tasks.js';

/** One that the client's types take: httpTask makes tasks of any shape. */
function taskTo(url: string, changes: Partial<Task> = {}): Task {
  // Changes of both types of destination together are of no type, and none is made here.
  return { ...httpTask(url), ...changes } as Task;
}

function parkingTask(url: string): Task {
  const { dead_destination: _none, ...task } = httpTask(url, { on_exhausted: 'park' });
  return task as Task;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
}

describe('RetryClient', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let client: RetryClient;
  let proxies: LosingProxy[];

  beforeEach(async () => {
    proxies = [];
    service = await InProcessService.ready();
    receiver = await createReceiver();
    client = new RetryClient({ url: service.baseUrl, operator: 'J\u00fcrgen' });
  });
  afterEach(async () => {
    for (const proxy of proxies) await proxy.close();
    await service.close();
    await receiver.close();
  });

  async function behind(fateOf: (request: SeenRequest, nth: number) => Fate, options: { readonly timeoutMs?: number; readonly retries?: number } = {}): Promise<{ proxy: LosingProxy; client: RetryClient }> {
    const proxy = await LosingProxy.start(service.baseUrl, fateOf);
    proxies.push(proxy);
    return { proxy, client: new RetryClient({ url: proxy.url, ...options }) };
  }

  const waiting = (changes: Partial<Task> = {}): Task => taskTo(receiver.url('/'), { initial_delay: 3_600, ...changes });

  describe('submit', () => {
    it('hands over a task, and waits until it is delivered', async () => {
      await service.startWorker();
      const task = taskTo(receiver.url('/'), { id: `a/b ${uniqueId()}` });
      expect(await client.submit(task)).to.include({ id: task.id, state: 'scheduled', run: 1 });
      expect(await client.waitFor(task.id, { everyMs: 20, timeoutMs: 20_000 })).to.include({ state: 'delivered', run: 1 });
      expect((await client.get(task.id, { includeMessage: true })).message_data).to.equal(task.message_data);
    });

    it('repeats what got no answer with the same id and the same key, which was made once', async () => {
      const { proxy, client: behindProxy } = await behind((_request, nth) => (nth < 2 ? 'lose' : 'pass'));
      const task = waiting();
      expect(await behindProxy.submit(task)).to.include({ id: task.id, run: 1 });
      expect(proxy.seen.map(({ body }) => body)).to.deep.equal([1, 2, 3].map(() => JSON.stringify(task)));
      const keys = proxy.seen.map(({ headers }) => headers['idempotency-key']);
      expect(new Set(keys).size).to.equal(1);
      expect(keys[0]).to.match(/^[\w-]{36}$/);
      await behindProxy.submit(waiting());
      expect(proxy.seen.at(-1)?.headers['idempotency-key'], 'another call has another one').to.not.equal(keys[0]);
    });

    it('has a task sent once whose answer was lost, although it is delivered before the repeat', async () => {
      await service.startWorker();
      const task = taskTo(receiver.url('/once'));
      // The repeat comes when the task has ended already.
      const { client: behindProxy } = await behind((_request, nth) => (nth === 0 ? 'lose' : nth === 1 ? { status: 503, headers: { 'retry-after': '1' }, body: { error: 'x', code: 'redis_unavailable', request_id: 'r' } } : 'pass'));
      const submitting = behindProxy.submit(task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(await submitting).to.include({ id: task.id, state: 'delivered', run: 1, is_duplicate: true });
      const many = [taskTo(receiver.url('/many')), taskTo(receiver.url('/many'))];
      const { client: losing } = await behind((_request, nth) => (nth === 0 ? 'lose' : nth === 1 ? { status: 503, headers: { 'retry-after': '1' }, body: { error: 'x', code: 'redis_unavailable', request_id: 'r' } } : 'pass'));
      const results: SubmitResult[] = [];
      for await (const result of losing.submitMany(many)) results.push(result);
      expect(results.map(({ status, run }) => [status, run])).to.deep.equal([[200, 1], [200, 1]]);
      for (const { id } of many) await waitForState(service.baseUrl, id, 'delivered');
      expect(receiver.requests.map(({ path }) => path).sort()).to.deep.equal(['/many', '/many', '/once']);
    });

    it('repeats after a 503, not before its Retry-After, and says in the end what was answered', async () => {
      const { proxy, client: behindProxy } = await behind((_request, nth) => (nth === 0 ? { status: 503, headers: { 'retry-after': '1' }, body: { error: 'redis connection failed', code: 'redis_unavailable', request_id: 'r' } } : 'pass'));
      const startedAt = performance.now();
      await behindProxy.submit(waiting());
      expect(performance.now() - startedAt).to.be.at.least(990);
      expect(proxy.seen).to.have.lengthOf(2);
      const { client: refused } = await behind(() => ({ status: 503, body: { error: 'redis is full', code: 'redis_full', request_id: 'r-7' } }), { retries: 1 });
      const error = await failureOf(refused.submit(waiting()));
      expect(error).to.be.instanceOf(ApiError).and.include({ status: 503, code: 'redis_full', message: 'redis is full', requestId: 'r-7' });
    });

    it('does not repeat what is refused', async () => {
      const { proxy, client: behindProxy } = await behind(() => 'pass');
      const error = await failureOf(behindProxy.submit({ ...waiting(), max_retries: -1 }));
      expect(error).to.be.instanceOf(ApiError).and.include({ status: 400, code: 'invalid_task' });
      expect(error).to.have.nested.property('details[0].field', 'max_retries');
      expect(proxy.seen).to.have.lengthOf(1);
    });

    it('gives a try its time limit, and says when nothing has answered', async () => {
      const { proxy, client: behindProxy } = await behind((_request, nth) => (nth === 0 ? 'hang' : 'pass'), { timeoutMs: 1_000 });
      await behindProxy.submit(waiting());
      expect(proxy.seen.length).to.be.at.least(2);
      const away = new RetryClient({ url: 'http://127.0.0.1:9', retries: 0 });
      expect(await failureOf(away.submit(waiting()))).to.be.instanceOf(NoAnswerError);
      const silent = await behind(() => 'hang', { timeoutMs: 100, retries: 0 });
      expect(await failureOf(silent.client.submit(waiting()))).to.be.instanceOf(NoAnswerError).with.property('isUnsent', false);
    });

    it('ends with the reason of its signal, also between two tries', async () => {
      const { proxy, client: behindProxy } = await behind(() => ({ status: 503, headers: { 'retry-after': '30' }, body: { error: 'x', code: 'overloaded', request_id: 'r' } }));
      const controller = new AbortController();
      const ending = failureOf(behindProxy.submit(waiting(), { signal: controller.signal }));
      await eventually(() => { expect(proxy.seen).to.have.lengthOf(1); });
      const reason = new Error('the user has gone');
      controller.abort(reason);
      expect(await ending).to.equal(reason);
    });
  });

  describe('a call whose connection breaks', () => {
    const places: readonly (readonly [where: string, raw: string])[] = [
      ['before an answer', ''],
      ['in the first line of the answer', 'HTTP/1.1 20'],
      ['in its headers', 'HTTP/1.1 201 Created\r\ncontent-type: appl'],
      ['behind its headers', 'HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n'],
      ['in its body', 'HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{"id":"a'],
      ['between its chunks', 'HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{"i\r\n'],
      ['in the words of another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ];
    for (const [where, raw] of places) {
      it(`${where} is made again with the same id and key`, async () => {
        const { proxy, client: behindProxy } = await behind((_request, nth) => (nth === 0 ? { raw } : 'pass'));
        const task = waiting();
        expect(await behindProxy.submit(task)).to.include({ id: task.id, run: 1 });
        const { seen } = proxy;
        expect([seen.length, new Set(seen.map(({ body }) => body)).size, new Set(seen.map(({ headers }) => headers['idempotency-key'])).size]).to.deep.equal([2, 1, 1]);
      });
    }
  });

  describe('a signal', () => {
    const drained = async (items: AsyncIterable<unknown>): Promise<void> => {
      for await (const _item of items); // to its end
    };
    async function* unending(): AsyncGenerator<Task> {
      yield waiting();
      await new Promise(() => undefined);
    }
    const methods: Readonly<Record<string, (of: RetryClient, signal: AbortSignal) => Promise<unknown>>> = {
      submit: (of, signal) => of.submit(waiting(), { signal }),
      submitMany: (of, signal) => drained(of.submitMany([waiting()], { signal })),
      'submitMany that waits for its source': (of, signal) => drained(of.submitMany(unending(), { signal })),
      get: (of, signal) => of.get('a', { signal }),
      submission: (of, signal) => of.submission('a', { signal }),
      waitFor: (of, signal) => of.waitFor('a', { signal }),
      list: (of, signal) => drained(of.list({}, { signal })),
      count: (of, signal) => of.count({}, { signal }),
      failures: (of, signal) => of.failures({ signal }),
      history: (of, signal) => of.history({ signal }),
      cancel: (of, signal) => of.cancel('a', { signal }),
      delete: (of, signal) => of.delete('a', { signal }),
      retry: (of, signal) => of.retry('a', { signal }),
      edit: (of, signal) => of.edit('a', { max_retries: 1 }, { signal }),
      dryRun: (of, signal) => of.dryRun({ action: 'redrive', ids: ['a'] }, { signal }),
      createBulkAction: (of, signal) => of.createBulkAction({ action: 'redrive', ids: ['a'] }, { signal }),
      watchBulkAction: (of, signal) => drained(of.watchBulkAction('a', { signal })),
      destinations: (of, signal) => drained(of.destinations({ signal })),
      pause: (of, signal) => of.pause('*', { signal }),
      audit: (of, signal) => of.audit({}, { signal }),
      stats: (of, signal) => of.stats({ signal }),
      status: (of, signal) => of.status({ signal }),
      submitLines: (of, signal) => drained(of.submitLines([JSON.stringify(waiting())], { signal })),
      bulkAction: (of, signal) => of.bulkAction('a', { signal }),
      bulkActions: (of, signal) => drained(of.bulkActions({ signal })),
      pauseBulkAction: (of, signal) => of.pauseBulkAction('a', { signal }),
      resumeBulkAction: (of, signal) => of.resumeBulkAction('a', { signal }),
      cancelBulkAction: (of, signal) => of.cancelBulkAction('a', { signal }),
      setBulkActionRate: (of, signal) => of.setBulkActionRate('a', 1, { signal }),
      destination: (of, signal) => of.destination('*', { signal }),
      resume: (of, signal) => of.resume('*', { signal }),
      setLimits: (of, signal) => of.setLimits('https://a.example', {}, { signal }),
      createKey: (of, signal) => of.createKey({ name: 'a', role: 'read' }, { signal }),
      keys: (of, signal) => drained(of.keys({ signal })),
      changeKey: (of, signal) => of.changeKey('a', { name: 'b' }, { signal }),
      rotateKey: (of, signal) => of.rotateKey('a', { signal }),
      deleteKey: (of, signal) => of.deleteKey('a', { signal }),
      testSend: (of, signal) => of.testSend({ destination_type: 'http', destination: { url: 'https://a.example/' } }, { signal }),
    };
    it('has a row here for every method', () => {
      const known = Object.getOwnPropertyNames(RetryClient.prototype).filter((name) => name !== 'constructor');
      expect(Object.keys(methods).filter((name) => !name.includes(' '))).to.have.members(known);
    });
    for (const [name, start] of Object.entries(methods)) {
      it(`ends ${name} at once, with its reason, and nothing more is asked`, async () => {
        const { proxy, client: behindProxy } = await behind(() => 'hang', { timeoutMs: 600_000 });
        const controller = new AbortController();
        const reason = new Error('the caller has gone');
        const ending = failureOf(start(behindProxy, controller.signal));
        await eventually(() => { expect(proxy.seen).to.have.lengthOf(1); });
        controller.abort(reason);
        expect(await ending).to.equal(reason);
        // One that comes with a signal that has aborted asks nothing.
        expect(await failureOf(start(behindProxy, controller.signal))).to.equal(reason);
        expect(proxy.seen).to.have.lengthOf(1);
      });
    }
  });

  describe('submitMany', () => {
    const collect = async (results: AsyncIterable<SubmitResult>): Promise<SubmitResult[]> => {
      const found: SubmitResult[] = [];
      for await (const result of results) found.push(result);
      return found;
    };

    it('hands over any number of tasks in parts, and gives each its result in order', async () => {
      const { proxy, client: behindProxy } = await behind(() => 'pass');
      const tasks = Array.from({ length: 1_203 }, () => waiting());
      const results = await collect(behindProxy.submitMany(tasks));
      expect(results.map(({ index, id }) => [index, id])).to.deep.equal(tasks.map(({ id }, nth) => [nth, id]));
      expect(new Set(results.map(({ status }) => status))).to.deep.equal(new Set([201]));
      expect(proxy.seen.map(({ body }) => body.trim().split('\n').length)).to.deep.equal([500, 500, 203]);
    });

    it('lets a bad task stop no other', async () => {
      const tasks = [waiting(), { ...waiting(), source: '' }, waiting()];
      const results = await collect(client.submitMany(tasks));
      expect(results.map(({ status }) => status)).to.deep.equal([201, 400, 201]);
    });

    it('repeats a part whose answer was lost with the same key, and only the tasks that were not taken', async () => {
      const tasks = Array.from({ length: 3 }, () => waiting());
      const { proxy, client: behindProxy } = await behind((_request, nth) => {
        if (nth === 0) return 'lose';
        if (nth > 1) return 'pass';
        const results = tasks.map(({ id }, index) => (index === 1 ? { index, id, status: 503, code: 'redis_unavailable', error: 'x' } : { index, id, status: 200, state: 'scheduled', run: 1 }));
        return { status: 207, body: { counts: {}, results } };
      });
      const results = await collect(behindProxy.submitMany(tasks));
      expect(results.map(({ index, status }) => [index, status])).to.deep.equal([[0, 200], [1, 200], [2, 200]]);
      expect(proxy.seen.map(({ body }) => body.trim().split('\n').length)).to.deep.equal([3, 3, 1]);
      expect(new Set(proxy.seen.map(({ headers }) => headers['idempotency-key'])).size).to.equal(1);
    });

    it('sends an id again that comes again after its end: each batch has a key of its own, and a given key is kept', async () => {
      await service.startWorker();
      const task = taskTo(receiver.url('/again'));
      async function* twice(): AsyncGenerator<Task> {
        yield task;
        await waitForState(service.baseUrl, task.id, 'delivered');
        yield task;
      }
      const { proxy, client: behindProxy } = await behind(() => 'pass');
      expect((await collect(behindProxy.submitMany(twice()))).map(({ run }) => run)).to.deep.equal([1, 2]);
      await client.waitFor(task.id, { run: 2, everyMs: 20, timeoutMs: 20_000 });
      expect(new Set(proxy.seen.map(({ headers }) => headers['idempotency-key'])).size).to.equal(2);
      expect((await collect(behindProxy.submitMany(twice(), { idempotencyKey: 'mine' }))).map(({ run }) => run)).to.deep.equal([3, 3]);
    });

    it('hands over what comes slowly as it comes, and takes nothing more when its results are not read', async () => {
      let given = 0;
      let next: () => void = () => undefined;
      async function* source(): AsyncGenerator<Task> {
        for (;;) {
          given += 1;
          yield waiting();
          await new Promise<void>((resolve) => { next = resolve; });
        }
      }
      const results = client.submitMany(source());
      for (const nth of [1, 2, 3]) {
        const { value } = await results.next();
        expect([value?.status, given]).to.deep.equal([201, nth]);
        next();
      }
      await results.return();
    });
  });

  describe('waitFor', () => {
    for (const fate of ['hang', 'endless'] as const) {
      it(`ends at its time limit against a server whose answer is ${fate === 'hang' ? 'none' : 'one without an end'}, and asks nothing more`, async () => {
        const { proxy, client: behindProxy } = await behind(() => fate);
        const startedAt = performance.now();
        const error = await failureOf(behindProxy.waitFor('a', { timeoutMs: 2_000 }));
        // The time limit of a request is 10 s. A machine that is busy makes it later than two seconds, never earlier.
        expect(performance.now() - startedAt).to.be.within(1_990, 8_000);
        expect(error).to.be.instanceOf(WaitTimeoutError);
        const asked = proxy.seen.length;
        // If it went on, it would have asked again by the time that another wait is over.
        await failureOf(new RetryClient({ url: proxy.url }).waitFor('other', { timeoutMs: 600 }));
        expect(proxy.seen.filter(({ path }) => path === '/tasks/a')).to.have.lengthOf(asked);
      });
    }

    it('goes on after a 503, a 404 and a lost answer in the middle', async () => {
      await service.startWorker();
      const task = taskTo(receiver.url('/'), { initial_delay: 2 });
      await client.submit(task);
      const { proxy, client: behindProxy } = await behind((_request, nth) => {
        if (nth === 1) return { status: 503, body: { error: 'x', code: 'redis_unavailable', request_id: 'r' } };
        if (nth === 3) return { status: 404, body: { error: 'x', code: 'task_not_found', request_id: 'r' } };
        return nth === 4 ? 'lose' : 'pass';
      });
      expect(await behindProxy.waitFor(task.id, { timeoutMs: 30_000, everyMs: 50 })).to.include({ state: 'delivered' });
      expect(proxy.seen.length).to.be.greaterThan(5);
    });

    it('says that there is no such task, instead of waiting for it', async () => {
      const error = await failureOf(client.waitFor('never-submitted', { timeoutMs: 60_000, everyMs: 10 }));
      expect(error).to.be.instanceOf(ApiError).and.include({ code: 'task_not_found' });
    });

    it('says which run has ended, of a task that is started again meanwhile', async () => {
      await service.startWorker();
      receiver.on('/down', { kind: 'answer', status: 500 });
      const parking = parkingTask(receiver.url('/down'));
      await client.submit(parking);
      await waitForState(service.baseUrl, parking.id, 'parked');
      expect(await client.waitFor(parking.id)).to.include({ state: 'parked', run: 1 });
      receiver.on('/down', { kind: 'answer', status: 200 });
      await client.retry(parking.id, { reason: 'it is back' });
      expect(await client.waitFor(parking.id, { run: 2, everyMs: 20, timeoutMs: 20_000 })).to.include({ state: 'delivered', run: 2 });
      expect((await client.waitFor(parking.id, { run: 1 })).run, 'run 1 has ended, and this is what followed it').to.equal(2);
    });

    it('ends with the reason of its signal while a look is under way', async () => {
      const { proxy, client: behindProxy } = await behind(() => 'hang');
      const controller = new AbortController();
      const ending = failureOf(behindProxy.waitFor('a', { signal: controller.signal }));
      await eventually(() => { expect(proxy.seen).to.have.lengthOf(1); });
      controller.abort(new Error('no more'));
      expect(await ending).to.include({ message: 'no more' });
      await failureOf(new RetryClient({ url: proxy.url }).waitFor('other', { timeoutMs: 600 }));
      expect(proxy.seen.filter(({ path }) => path === '/tasks/a')).to.have.lengthOf(1);
    });
  });

  it('adds up the parts of a count, and says that it is exact only if all of them are', async () => {
    const part = (numbers: object) => ({ status: 200, body: { count: 2, is_exact: false, scanned: 5, not_read: 0, next_cursor: null, ...numbers } });
    for (const [first, last, isExact] of [
      [{}, { is_exact: true }, true],
      [{ not_read: 1 }, { is_exact: true }, false],
      [{}, { is_exact: false }, false],
    ] as const) {
      const { client: behindProxy } = await behind(({ path }) => (path.includes('cursor=more') ? part(last) : part({ ...first, next_cursor: 'more' })));
      expect(await behindProxy.count({ state: 'parked' })).to.deep.equal({ count: 4, is_exact: isExact, scanned: 10, not_read: first.not_read ?? 0 });
    }
  });

  describe('changes', () => {
    it('are recorded with the name of the operator and the reason', async () => {
      const task = waiting();
      await client.submit(task);
      await client.retry(task.id, { reason: 'now' });
      await client.cancel(task.id, { reason: 'not needed' });
      const key = 'https://api.example.com/orders';
      expect((await client.pause(key, { until: '+30m', reason: 'it is down' })).paused).to.include({ key, reason: 'it is down' });
      expect((await client.setLimits(key, { rate: 5 }, { reason: 'too many' })).limits).to.include({ rate: 5 });
      expect((await client.resume(key)).paused).to.equal(null);
      expect((await client.setLimits(key, {})).limits).to.equal(null);
      expect((await client.destination(key)).key).to.equal(key);
      const entries = await client.audit({ actor: 'J\u00fcrgen' });
      expect(entries.map(({ action, reason }) => [action, reason]).reverse()).to.deep.equal([
        ['task.retry', 'now'],
        ['task.cancel', 'not needed'],
        ['destination.pause', 'it is down'],
        ['destination.limits', 'too many'],
        ['destination.resume', null],
        ['destination.limits', null],
      ]);
      expect((await client.audit({ action: 'pause' }, { limit: 1 })).length).to.equal(1);
    });

    it('are cancelled once, also when the answer was lost', async () => {
      const { proxy, client: behindProxy } = await behind(({ method }, nth) => (method === 'DELETE' && nth === 0 ? 'lose' : 'pass'));
      const task = waiting();
      await client.submit(task);
      expect(await behindProxy.cancel(task.id)).to.include({ id: task.id, state: 'cancelled' });
      expect(proxy.seen.map(({ method }) => method)).to.deep.equal(['DELETE', 'DELETE', 'GET']);
      expect(await failureOf(client.cancel(task.id)), 'a second call').to.include({ code: 'finished' });
    });

    it('are cancelled by a second try when the first one never came', async () => {
      const { proxy, client: behindProxy } = await behind((_request, nth) => (nth === 0 ? { raw: '' } : 'pass'));
      const task = waiting();
      await client.submit(task);
      expect(await behindProxy.cancel(task.id)).to.include({ id: task.id, state: 'cancelled' });
      expect(proxy.seen.map(({ method }) => method)).to.deep.equal(['DELETE', 'DELETE']);
    });

    it('leave a parked task, which is the only copy, unless it is to be deleted, and that no other one', async () => {
      await service.startWorker();
      receiver.on('/down', { kind: 'answer', status: 500 });
      const parking = parkingTask(receiver.url('/down'));
      await client.submit(parking);
      await waitForState(service.baseUrl, parking.id, 'parked');
      const { client: behindProxy } = await behind(({ method }, nth) => (method === 'DELETE' && nth % 2 === 0 ? 'lose' : 'pass'));
      expect(await failureOf(behindProxy.cancel(parking.id))).to.include({ code: 'parked' });
      expect(await client.get(parking.id)).to.include({ state: 'parked' });
      const other = waiting();
      await client.submit(other);
      expect(await failureOf(client.delete(other.id))).to.include({ code: 'conflict' });
      expect(await client.get(other.id)).to.include({ state: 'scheduled' });
      expect(await behindProxy.delete(parking.id), 'the first answer was lost').to.include({ state: 'deleted' });
      expect(await failureOf(client.delete(parking.id)), 'a second call').to.include({ code: 'task_not_found' });
    });

    it('are not made twice where it is not certain that nothing was done', async () => {
      const { proxy, client: behindProxy } = await behind(() => 'lose');
      const task = waiting();
      await client.submit(task);
      expect(await failureOf(behindProxy.retry(task.id))).to.be.instanceOf(NoAnswerError);
      expect(proxy.seen).to.have.lengthOf(1);
      const test = { destination_type: 'http', destination: { url: receiver.url('/') } } as const;
      const unanswered = await behind((_request, nth) => (nth === 0 ? { status: 503, body: { error: 'it may have been sent', code: 'no_worker', request_id: 'r' } } : 'hang'), { timeoutMs: 200 });
      expect(await failureOf(unanswered.client.testSend(test))).to.include({ code: 'no_worker' });
      expect(await failureOf(unanswered.client.testSend(test))).to.be.instanceOf(NoAnswerError).with.property('message').that.includes('within 200 ms');
      expect(unanswered.proxy.seen).to.have.lengthOf(2);
    });

    it('refuse an id that would be another address', async () => {
      for (const id of ['', '.', '..']) expect(await failureOf(client.get(id)), id).to.be.instanceOf(RangeError);
    });
  });

  it('corrects a parked task, starts it again with a bulk action that has one id for all its tries, and tells what failed', async () => {
    await service.startWorker();
    receiver.on('/down', { kind: 'answer', status: 500 });
    const parking = parkingTask(receiver.url('/down'));
    await client.submit(parking);
    await client.waitFor(parking.id, { everyMs: 20, timeoutMs: 20_000 });
    expect(await client.edit(parking.id, { destination: { url: receiver.url('/up') } }, { reason: 'a wrong url' })).to.include({ id: parking.id, state: 'parked' });
    expect((await client.submission(parking.id))['destination']).to.deep.equal({ url: receiver.url('/up') });
    const { proxy, client: behindProxy } = await behind((_request, nth) => (nth === 0 ? 'lose' : 'pass'));
    const created = await behindProxy.createBulkAction({ action: 'redrive', ids: [parking.id], reason: 'it is corrected' });
    expect(created.is_duplicate, 'the first try had made it').to.equal(true);
    expect(new Set(proxy.seen.map(({ body }) => body)).size).to.equal(1);
    let last = created;
    for await (const action of client.watchBulkAction(created.id, { everyMs: 20 })) last = action;
    expect(last).to.include({ state: 'done', matched: 1, started: 1 });
    expect(await client.waitFor(parking.id, { run: 2, everyMs: 20, timeoutMs: 20_000 })).to.include({ state: 'delivered', run: 2 });
    const actions: string[] = [];
    for await (const { id } of client.bulkActions()) actions.push(id);
    expect(actions).to.deep.equal([created.id]);
    const failures = await eventually(async () => {
      const found = await client.failures({ since: '1h' });
      expect(found.groups).to.have.lengthOf(1);
      return found;
    }, { withinMs: 20_000 });
    expect(failures.groups[0]).to.include({ http_status: 500, count: 1 });
  });

  it('asks how the service is', async () => {
    await client.submit(waiting());
    expect((await client.stats()).counts).to.include({ waiting: 1 });
    expect((await client.status()).reasons.map(({ code }) => code)).to.include('no_worker');
  });
});
