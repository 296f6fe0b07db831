import { expect } from 'chai';

import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { sendRaw } from '../../../support/raw-request.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { shardKeys } from '../../../support/shard-keys.js';
import { call, getTask, httpTask, submitNew, uniqueId, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

const API = '/admin/queues/api/queues/deliver-0';

describe('Bull Board', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    receiver.on('/down', { kind: 'answer', status: 500 });
    // So many tasks fail here that the circuit would open, and none would be parked for a while.
    await service.startWorker({ circuit: { isOn: false } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function deadLetter(changes: Partial<WireTask> = {}): Promise<WireTask> {
    const task = httpTask(receiver.url('/hook'), { id: uniqueId('dead'), max_retries: 2, base_delay: 0.01, dead_destination: { url: receiver.url('/dead') }, ...changes });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    return task;
  }

  async function parked(changes: Partial<WireTask> = {}): Promise<WireTask> {
    const { dead_destination: _none, ...task } = httpTask(receiver.url('/hook'), { id: uniqueId('parked'), max_retries: 1, base_delay: 0.01, on_exhausted: 'park', ...changes });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    return task;
  }

  function put(path: string, method = 'PUT', body?: object): Promise<Answer> {
    return call(service.baseUrl, path, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
  }

  /** As the board's list builds the address of a job. */
  const jobPath = (taskId: string): string => `${API}/${encodeURIComponent(`t-${encodeURIComponent(taskId)}`)}`;

  async function parkedIds(): Promise<string[]> {
    const [shard] = await service.queue.shards();
    return service.redis.zrange(shard?.keys.parked ?? '', '0', '-1');
  }

  it('shows its page', async () => {
    const response = await fetch(`${service.baseUrl}/admin/queues`);
    expect(response.status).to.equal(200);
    expect(await response.text()).to.contain('Kafka Retry Service');
  });

  it('asks no other host for anything', async () => {
    const page = await (await fetch(`${service.baseUrl}/admin/queues`)).text();
    const addresses = [...page.matchAll(/\b(?:href|src|action)="([^"]*)"/g)].map(([, address = '']) => address);
    expect(addresses).to.have.lengthOf.at.least(5);
    expect(addresses.filter((address) => /^(?:[a-z]+:)?\/\//i.test(address))).to.deep.equal([]);
  });

  describe('finds a task by its own id', () => {
    const locationOf = async (path: string): Promise<readonly [status: number, location: string | undefined]> => {
      const { status, headers } = await sendRaw(service.baseUrl, { path });
      return [status, headers.location];
    };

    for (const id of ['order-1001', 'a:b/c', '123', 'metrics', 't-x', 'é 🚚', 'a%2Fb', '...']) {
      it(`${JSON.stringify(id)}: in the address of a page, and in the form`, async () => {
        await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 3_600 }));
        const jobId = `t-${encodeURIComponent(id)}`;
        const page = `/admin/queues/queue/deliver-0/${jobId}`;
        expect(await locationOf(`/admin/queues/queue/deliver-0/${encodeURIComponent(id)}?status=delayed`)).to.deep.equal([302, `${page}?status=delayed`]);
        expect(await locationOf(`/admin/queues/queue/other/${jobId}`)).to.deep.equal([302, page]);
        expect(await locationOf(`/admin/queues/task?id=${encodeURIComponent(id)}`)).to.deep.equal([302, page]);
        expect(await locationOf(`/admin/queues/task?id=${encodeURIComponent(jobId)}`)).to.deep.equal([302, page]);
        expect(await locationOf(page)).to.deep.equal([200, undefined]);
      });
    }

    it('also in a request of the board without the id of a job', async () => {
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: 'order-1001', initial_delay: 3_600 }));
      expect((await call(service.baseUrl, `${API}/order-1001`)).status).to.equal(200);
    });

    it('also there where the id looks like that of a job, unless it is the one of another task', async () => {
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: 't-7', initial_delay: 3_600 }));
      expect((await call(service.baseUrl, `${API}/t-7`)).body['job']).to.include({ id: 't-t-7' });
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: '7', initial_delay: 3_600 }));
      expect((await call(service.baseUrl, `${API}/t-7`)).body['job']).to.include({ id: 't-7' });
    });

    it('also there where the form got it with spaces around it', async () => {
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: 'order-1001', initial_delay: 3_600 }));
      for (const pasted of [' order-1001', 'order-1001 ', ' t-order-1001\t']) expect(await locationOf(`/admin/queues/task?id=${encodeURIComponent(pasted)}`), pasted).to.deep.equal([302, '/admin/queues/queue/deliver-0/t-order-1001']);
    });

    it('and says so when there is none', async () => {
      const { status, body } = await call(service.baseUrl, '/admin/queues/task?id=none');
      expect([status, body['code']]).to.deep.equal([404, 'task_not_found']);
      expect(body['error']).to.contain('DELIVERED_RETENTION');
      expect((await call(service.baseUrl, '/admin/queues/task?name=none')).status).to.equal(400);
      const page = await fetch(`${service.baseUrl}/admin/queues/task?id=%3Cb%3Enone`, { headers: { accept: 'text/html,*/*;q=0.8' } });
      expect([page.status, page.headers.get('content-type')]).to.deep.equal([404, 'text/html; charset=utf-8']);
      const text = await page.text();
      expect(text).to.contain('No such task').and.to.contain('href="/admin"').and.to.contain('href="/admin/queues"').and.not.to.contain('<b>');
      expect(await locationOf('/admin/queues/queue/deliver-0/none')).to.deep.equal([200, undefined]);
    });

    for (const id of ['50%', 'a%zz', '%']) {
      it(`${JSON.stringify(id)}, whose page could not be loaded again`, async () => {
        const other = `t-${encodeURIComponent(encodeURIComponent(id))}`;
        await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 3_600 }));
        await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: encodeURIComponent(id), initial_delay: 3_600 }));
        const jobId = `t-${encodeURIComponent(id)}`;
        const address = `/admin/queues/queue/deliver-0/${other}?job=${encodeURIComponent(jobId)}`;
        expect(await locationOf(`/admin/queues/queue/deliver-0/${jobId}`)).to.deep.equal([302, address]);
        expect(await locationOf(address)).to.deep.equal([200, undefined]);
        // So the page asks, after it has decoded its address.
        const { body } = await call(service.baseUrl, `${API}/${encodeURIComponent(`t-${id}`)}`, { headers: { referer: service.baseUrl + address } });
        expect((body as { job?: { data?: { id?: unknown } } }).job?.data?.id).to.equal(id);
      });
    }
  });

  describe('the attempts of a task', () => {
    const linesOf = async (taskId: string): Promise<readonly string[]> => (await call(service.baseUrl, `${jobPath(taskId)}/logs`)).body as unknown as readonly string[];
    const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

    it('are lines that a person can read, with those of earlier runs', async () => {
      const task = await deadLetter({ max_retries: 1 });
      isDown = false;
      expect((await put(`${jobPath(task.id)}/retry`)).status).to.be.within(200, 299);
      await waitForState(service.baseUrl, task.id, 'delivered');
      const expected = [
        'run 1, attempt 0: failed after \\d+ ms, http_server_error.*HTTP 500.*; next: retry \\(.+\\)',
        'run 1, attempt 1: failed after \\d+ ms, http_server_error.*HTTP 500.*; next: dead delivery \\(.+\\)',
        'run 1, dead delivery 0: delivered after \\d+ ms; next: none, it is a dead letter \\(.+\\)',
        'run 2: started again by an operator',
        'run 2, attempt 0: delivered after \\d+ ms \\(.+\\)',
      ];
      const lines = await linesOf(task.id);
      expect(lines).to.have.lengthOf(expected.length);
      for (const [nth, line] of lines.entries()) expect(line).to.match(new RegExp(`^${TIME} ${expected[nth] ?? ''}$`));
    });

    it('stand on the page of a dead letter as its error, the newest first', async () => {
      const task = await deadLetter({ max_retries: 0 });
      const { body } = await call(service.baseUrl, jobPath(task.id));
      const { stacktrace } = (body as unknown as { job: { stacktrace: readonly string[] } }).job;
      expect([...stacktrace].reverse()).to.deep.equal(await linesOf(task.id));
    });

    it('of a task that waits are no error: the page would offer to retry it', async () => {
      const task = httpTask(receiver.url('/hook'), { max_retries: 3, base_delay: 3_600, initial_delay: 0 });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'retrying');
      const { body } = await call(service.baseUrl, jobPath(task.id));
      expect((body as unknown as { job: { isFailed: boolean } }).job.isFailed).to.equal(false);
      expect(await linesOf(task.id)).to.have.lengthOf(1);
    });

    it('of no task are 404', async () => {
      for (const path of [`${API}/t-none/logs`, `${API}/wait/logs`, '/admin/queues/api/queues/deliver-99/t-none/logs']) {
        const { status, body } = await call(service.baseUrl, path);
        expect([status, String(body['code']).endsWith('not_found')], path).to.deep.equal([404, true]);
      }
    });
  });

  it('says why a task waits, as GET /tasks/:id does, in place of the time at which its job would run', async () => {
    const retrying = httpTask(receiver.url('/down'), { max_retries: 3, base_delay: 3_600, initial_delay: 0 });
    const scheduled = httpTask(receiver.url('/down'), { initial_delay: 3_600 });
    for (const task of [retrying, scheduled]) await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, retrying.id, 'retrying');
    const { body } = await call(service.baseUrl, '/admin/queues/api/queues?activeQueue=deliver-0&status=delayed');
    // What is read of it is compared.
    const listed = (body as unknown as { queues: { jobs: { id: string; name: string; delay: number; data: { waiting_for?: unknown } }[] }[] }).queues.flatMap(({ jobs }) => jobs);
    for (const [task, code] of [[retrying, 'backoff'], [scheduled, 'initial_delay']] as const) {
      const { waiting_for: waitingFor } = (await call(service.baseUrl, `/tasks/${task.id}`)).body as { waiting_for: { code: string; message: string } };
      expect(waitingFor.code).to.equal(code);
      const single = ((await call(service.baseUrl, jobPath(task.id))).body as unknown as { job: (typeof listed)[number] }).job;
      for (const job of [listed.find(({ id }) => id === `t-${task.id}`), single]) {
        expect(job?.data.waiting_for).to.deep.equal(waitingFor);
        expect(job?.name).to.equal(`http ${receiver.url('/down')} (${code}: ${waitingFor.message})`);
        expect(job?.delay).to.equal(0);
      }
    }
  });

  it('has nothing at a path with a step up or of no length', async () => {
    for (const path of ['/admin/queues/..', '/admin/queues/queue/..', '/admin/queues/queue/deliver-0/..', '/admin/queues/queue/deliver-0/%2E', '/admin/queues/queue/.%2e/', `${API}/%2e%2e`]) {
      expect((await sendRaw(service.baseUrl, { path })).status, path).to.equal(404);
    }
    expect((await sendRaw(service.baseUrl, { path: '/admin/queues/queue/deliver-0/t-..' })).status).to.equal(200);
  });

  it('shows a task in the words of its client, its message cut, no password', async () => {
    const task = httpTask('http://user:hunter2@127.0.0.1:9/hook', { initial_delay: 3_600, message_data: 'm'.repeat(5_000) });
    await submitNew(service.baseUrl, task);
    const { status, body } = await call(service.baseUrl, jobPath(task.id));
    expect(status).to.equal(200);
    const text = JSON.stringify(body);
    expect(text).to.contain('"client_id":"team-a"').and.to.contain(task.id).and.to.contain('(5000 characters)');
    expect(text).to.not.contain('hunter2');
    expect(text.length).to.be.below(5_000);
  });

  describe('pages', () => {
    const list = (query: string): Promise<Answer> => call(service.baseUrl, `/admin/queues/api/queues?${query}`);
    const jobsOf = ({ body }: Answer): readonly { readonly id: string; readonly data: Readonly<Record<string, unknown>> | string; readonly stacktrace: readonly string[] }[] =>
      // What a test reads of it, it also compares.
      (body as unknown as { queues: { jobs: { id: string; data: Record<string, unknown> | string; stacktrace: string[] }[] }[] }).queues.flatMap(({ jobs }) => jobs);

    async function waiting(count: number, message = 'm'): Promise<WireTask[]> {
      const tasks = Array.from({ length: count }, () => httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600, message_data: message }));
      for (const task of tasks) await submitNew(service.baseUrl, task);
      return tasks;
    }

    it('has at most 50 jobs, whatever is asked for', async () => {
      await waiting(60);
      const answer = await list('activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=1000000');
      expect(answer.status).to.equal(200);
      expect(jobsOf(answer)).to.have.lengthOf(50);
      expect(jobsOf(await list('activeQueue=deliver-0&status=delayed&page=2&jobsPerPage=1000000'))).to.have.lengthOf(10);
      expect(jobsOf(await list('activeQueue=deliver-0&status=delayed&page=999999999999999999999'))).to.have.lengthOf(0);
      expect(jobsOf(await list('activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=7'))).to.have.lengthOf(7);
    });

    it('shows the same jobs in the same order as before, each once', async () => {
      const tasks = await waiting(12);
      const ids: string[] = [];
      for (const page of [1, 2, 3]) ids.push(...jobsOf(await list(`activeQueue=deliver-0&status=delayed&page=${page}&jobsPerPage=5`)).map(({ id }) => id));
      expect(ids).to.deep.equal(tasks.map(({ id }) => `t-${id}`).reverse());
      expect(jobsOf(await list('activeQueue=deliver-0&status=latest')).map(({ id }) => id)).to.have.members(ids.slice(0, 10));
    });

    for (const query of ['page=0', 'page=-1', 'page=x', 'page=1&page=2', 'jobsPerPage=0', 'jobsPerPage=all', 'status=nothing', 'status=failed&status=failed', 'activeQueue=%25zz', 'activeQueue=a&activeQueue=b']) {
      it(`refuses ${query} with 400`, async () => {
        const { status, body } = await list(`activeQueue=deliver-0&${query}`.replace(/^activeQueue=deliver-0&(?=activeQueue)/, ''));
        expect([status, body['code']]).to.deep.equal([400, 'invalid_request']);
      });
    }

    it('shows 6 messages of 1 MiB of control characters by their facts, in a small answer', async () => {
      const message = '\u0001'.repeat(1_048_576);
      await waiting(6, message);
      const startedAt = performance.now();
      const answer = await list('activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=20');
      expect(performance.now() - startedAt, 'ms').to.be.below(5_000);
      expect(answer.status).to.equal(200);
      const jobs = jobsOf(answer);
      expect(jobs).to.have.lengthOf(6);
      for (const { data } of jobs) expect(data).to.include({ client_id: 'team-a', source: 'orders', message_bytes: 1_048_576 });
      expect(JSON.stringify(answer.body).length).to.be.below(100_000);
      const [{ id } = { id: '' }] = jobs;
      const single = await call(service.baseUrl, `${API}/${encodeURIComponent(id)}`);
      expect(single.status).to.equal(200);
      expect(JSON.stringify(single.body)).to.include('too long for this page');
    });

    it('shows a job whose fields a person has spoilt, and all others beside it', async () => {
      const [spoilt, good] = await waiting(2);
      const [shard] = await service.queue.shards();
      const key = shard?.keys.job(spoilt?.id ?? '') ?? '';
      await service.redis.hset(key, { data: '{no json', opts: '[', stacktrace: 'neither', returnvalue: '{', delay: 'x' });
      const answer = await list('activeQueue=deliver-0&status=delayed');
      expect(answer.status).to.equal(200);
      const jobs = jobsOf(answer);
      expect(jobs.find(({ id }) => id === `t-${spoilt?.id ?? ''}`)).to.deep.include({ data: 'This version of the service cannot read the task. A newer version wrote it, or a person.', stacktrace: [] });
      expect(jobs.find(({ id }) => id === `t-${good?.id ?? ''}`)?.data).to.include({ client_id: 'team-a' });
      expect((await call(service.baseUrl, jobPath(spoilt?.id ?? ''))).status).to.equal(200);
    });

    it('answers 404 for an id that no task has, also where another key of the queue has that name', async () => {
      await waiting(1);
      for (const id of ['wait', 'delayed', 'meta', 'marker', 'parked', 't-none']) {
        const { status } = await call(service.baseUrl, `${API}/${id}`);
        expect(status, id).to.equal(404);
      }
    });

    it('starts twenty parked tasks with large messages again without reading them', async () => {
      const tasks = await Promise.all(Array.from({ length: 20 }, () => parked({ message_data: 'm'.repeat(900_000), max_retries: 0 })));
      isDown = false;
      const answer = await put(`${API}/retry/failed`);
      expect([answer.status, answer.body]).to.deep.equal([200, { retried: 20, skipped: 0 }]);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 30_000 });
    }).timeout(60_000);
  });

  it('is away when its connection is, and never says that a task was not scheduled', async () => {
    const [shard] = await service.queue.shards();
    await service.redis.set(shard?.keys.delayed ?? '', 'no sorted set');
    const answer = await call(service.baseUrl, '/admin/queues/api/queues?activeQueue=deliver-0&status=delayed');
    expect(answer.status).to.be.at.least(500);
    expect(JSON.stringify(answer.body)).to.not.include('schedule');
    await service.redis.del(shard?.keys.delayed ?? '');
  });

  it('shows a task whatever its id is, also when its page has taken one encoding too many off it', async () => {
    for (const id of ['a:b/c', 'é 🚚', '50%', '?#', '%zz']) {
      const task = httpTask('http://127.0.0.1:9/hook', { id: uniqueId(id), initial_delay: 3_600 });
      await submitNew(service.baseUrl, task);
      for (const path of [jobPath(task.id), `${API}/${encodeURIComponent(`t-${task.id}`)}`]) {
        const { status, body } = await call(service.baseUrl, path);
        expect(status, path).to.equal(200);
        expect(JSON.stringify(body)).to.contain(JSON.stringify(task.id).slice(1, -1));
        for (const part of ['logs', 'flow']) expect((await call(service.baseUrl, `${path}/${part}`)).status, `${path}/${part}`).to.equal(200);
      }
    }
    expect((await call(service.baseUrl, `${API}/t-%zz`)).status).to.equal(400);
    expect((await call(service.baseUrl, `${API}/t-none%2F`)).status).to.equal(404);
  });

  it('shows what is hidden in a text of a client, such as a character that turns it round', async () => {
    const task = httpTask('http://127.0.0.1:9/a\u202eb', { id: uniqueId('a\u202eb'), flow_key: 'a\u202eb', initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    for (const path of [jobPath(task.id), '/admin/queues/api/queues?activeQueue=deliver-0&status=delayed']) {
      const { status, body } = await call(service.baseUrl, path);
      expect(status, path).to.equal(200);
      expect(JSON.stringify(body)).to.contain(String.raw`a\\u202eb`).and.to.contain('/a%E2%80%AEb').and.to.not.contain('\u202e');
    }
  });

  describe('of two tasks whose ids differ by their encoding alone', () => {
    const pairs: readonly (readonly [id: string, encoded: string])[] = [
      ['z/b', 'z%2Fb'],
      ['z%', 'z%25'],
      ['z b', 'z%20b'],
      ['z:b', 'z%3Ab'],
      ['zü🚚', 'z%C3%BC%F0%9F%9A%9A'],
      ['z%2Fc', 'z%252Fc'],
    ];
    const shownId = ({ body }: Answer): unknown => (body as { job?: { data?: { id?: unknown } } }).job?.data?.id;
    /** As the page of the job asks: opened from the list, and loaded again. Both take encodings off its address. */
    const askedByPage = (id: string): readonly string[] => {
      const address = `t-${encodeURIComponent(id)}`;
      return [address, decodeURI(address)].map((path) => { try { return decodeURIComponent(path); } catch { return path; } });
    };
    const look = (asked: string, referer?: string): Promise<Answer> => call(service.baseUrl, `${API}/${encodeURIComponent(asked)}`, referer === undefined ? {} : { headers: { referer } });

    for (const [id, encoded] of pairs) {
      it(`the page of each shows its own, and that of one that is not there 404: ${id} and ${encoded}`, async () => {
        const page = (of: string): string => `${service.baseUrl}/admin/queues/queue/deliver-0/t-${encodeURIComponent(of)}`;
        await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 3_600 }));
        for (const asked of askedByPage(encoded)) expect((await look(asked, page(encoded))).status, asked).to.equal(404);
        for (const asked of askedByPage(id)) expect(shownId(await look(asked, page(id))), asked).to.equal(id);
        await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: encoded, initial_delay: 3_600 }));
        for (const each of [id, encoded]) for (const asked of askedByPage(each)) expect(shownId(await look(asked, page(each))), asked).to.equal(each);
      });

      it(`a request that does not say where it comes from is not answered with the other one: ${id} and ${encoded}`, async () => {
        for (const each of [id, encoded]) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { id: each, initial_delay: 3_600 }));
        const answer = await look(`t-${encoded}`);
        expect([answer.status, answer.body['code']]).to.deep.equal([404, 'not_found']);
        expect(answer.body['error']).to.contain(`GET /tasks/${encodeURIComponent(id)}`).and.to.contain(`GET /tasks/${encodeURIComponent(encoded)}`);
      });
    }

    it('Retry starts the one that it names, and no other', async () => {
      const [one, other] = [await parked({ id: 'z/b', max_retries: 0 }), await parked({ id: 'z%2Fb', max_retries: 0 })];
      isDown = false;
      for (const path of [`${API}/${encodeURIComponent('t-z/b')}/retry`, `${API}/t-z%252fb/retry`]) {
        expect((await put(path)).status, path).to.be.oneOf([404, 405]);
      }
      expect((await put(`${jobPath(other.id)}/retry`)).status).to.be.within(200, 299);
      expect((await waitForState(service.baseUrl, other.id, 'delivered')).run).to.equal(2);
      expect((await getTask(service.baseUrl, one.id)).state).to.equal('parked');
      expect((await put(`${jobPath(one.id)}/retry`)).status).to.be.within(200, 299);
      expect((await waitForState(service.baseUrl, one.id, 'delivered')).run).to.equal(2);
    });

    it('Retry also goes by the id of a task, unless the text is the very id of a job', async () => {
      const [one, looksLikeJob] = [await parked({ id: 'order-7/a', max_retries: 0 }), await parked({ id: 't-8', max_retries: 0 })];
      isDown = false;
      for (const { id } of [one, looksLikeJob]) {
        expect((await put(`${API}/${encodeURIComponent(id)}/retry`)).status, id).to.equal(204);
        expect((await waitForState(service.baseUrl, id, 'delivered')).run, id).to.equal(2);
      }
      isDown = true;
      const named = await parked({ id: '8', max_retries: 0 });
      isDown = false;
      expect((await put(`${API}/t-8/retry`)).status).to.equal(204);
      expect((await waitForState(service.baseUrl, named.id, 'delivered')).run).to.equal(2);
      const unknown = await put(`${API}/none/retry`);
      expect([unknown.status, unknown.body['code']]).to.deep.equal([404, 'task_not_found']);
    });

    it('a job that a person has named in another spelling is no way to the task', async () => {
      const task = await parked({ id: 'z/b', max_retries: 0 });
      const [shard] = await service.queue.shards();
      const base = shard?.keys.base ?? '';
      await service.redis.copy(`${base}t-z%2Fb`, `${base}t-z/b`);
      await service.redis.zadd(shard?.keys.failed ?? '', Date.now(), 't-z/b');
      expect((await put(`${API}/${encodeURIComponent('t-z/b')}/retry`)).status).to.equal(405);
      expect((await getTask(service.baseUrl, task.id)).state).to.equal('parked');
    });
  });

  it('Retry starts a dead letter again with all its retries, as the next run, with its history kept', async () => {
    const task = await deadLetter();
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(4);
    const answer = await put(`${jobPath(task.id)}/retry`);
    expect(answer.status).to.be.within(200, 299);
    const again = await waitForRequests(task.id, 8);
    expect(again.slice(4).map(({ key, headers }) => [key, headers['x-retry-run']])).to.deep.equal([
      [`${task.id}|0`, '2'],
      [`${task.id}|1`, '2'],
      [`${task.id}|2`, '2'],
      [`${task.id}|dead|3`, '2'],
    ]);
    const shown = await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(shown.run).to.equal(2);
    expect(shown.timeline.map(({ run, attempt, phase, redriven_at }) => (redriven_at === undefined ? `${String(run)}: ${String(phase)} ${String(attempt)}` : 'redriven'))).to.deep.equal([
      '1: delivery 0',
      '1: delivery 1',
      '1: delivery 2',
      '1: dead_letter 0',
      'redriven',
      '2: delivery 0',
      '2: delivery 1',
      '2: delivery 2',
      '2: dead_letter 0',
    ]);
  });

  it('Retry starts a parked task again, which is then no longer parked', async () => {
    const task = await parked();
    expect(await parkedIds()).to.deep.equal([`t-${task.id}`]);
    isDown = false;
    expect((await put(`${jobPath(task.id)}/retry`)).status).to.be.within(200, 299);
    const shown = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(shown.run).to.equal(2);
    expect(await parkedIds()).to.deep.equal([]);
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`, `${task.id}|1`, `${task.id}|0`]);
  });

  for (const id of ['a:b/c', '%', '...', '123', '🚚 & ü?#']) {
    it(`Retry finds the id ${JSON.stringify(id)}`, async () => {
      await deadLetter({ id, max_retries: 0 });
      isDown = false;
      expect((await put(`${jobPath(id)}/retry`)).status).to.be.within(200, 299);
      expect((await waitForState(service.baseUrl, id, 'delivered')).run).to.equal(2);
    });
  }

  it('Retry all starts dead letters and parked tasks alike, by our rules', async () => {
    const tasks = [...(await Promise.all(Array.from({ length: 5 }, () => deadLetter()))), ...(await Promise.all(Array.from({ length: 5 }, () => parked())))];
    isDown = false;
    const answer = await put(`${API}/retry/failed`);
    expect(answer.status).to.be.within(200, 299);
    for (const { id } of tasks) expect((await waitForState(service.baseUrl, id, 'delivered')).run).to.equal(2);
    expect(await parkedIds()).to.deep.equal([]);
  });

  it('Retry all starts every task once, also when they fail again meanwhile', async () => {
    const tasks = await Promise.all(Array.from({ length: 150 }, () => parked()));
    const answers = await Promise.all([put(`${API}/retry/failed`), put(`${API}/retry/failed`)]);
    for (const { status } of answers) expect(status).to.equal(200);
    for (const { id } of tasks) {
      const again = await waitForState(service.baseUrl, id, 'parked');
      expect(again.run, id).to.be.within(2, 3); // two clicks: the second may find one that has failed again already
    }
  });

  it('Retry all reaches every task behind hundreds of ids without one that failed in the same millisecond', async () => {
    const tasks = await Promise.all(Array.from({ length: 3 }, () => parked({ max_retries: 0 })));
    const [shard] = await service.queue.shards();
    const failed = shard?.keys.failed ?? '';
    const at = Date.now() - 60_000;
    // Before and behind the tasks, in the order of their names.
    const strays = [...Array.from({ length: 250 }, (_, nth) => `a-${nth}`), ...Array.from({ length: 250 }, (_, nth) => `z-${nth}`)];
    await service.redis.zadd(failed, ...strays.flatMap((id) => [at, id]));
    await service.redis.zadd(failed, ...tasks.flatMap(({ id }) => [at, `t-${encodeURIComponent(id)}`]));
    isDown = false;
    const answer = await put(`${API}/retry/failed`);
    expect([answer.status, answer.body]).to.deep.equal([200, { retried: 3, skipped: 500 }]);
    for (const { id } of tasks) expect((await waitForState(service.baseUrl, id, 'delivered')).run).to.equal(2);
  });

  it('Retry all starts a task once, also when the clock of the API is an hour ahead', async () => {
    const task = await parked({ max_retries: 0 });
    const ahead = new TaskQueue({ redis: service.redis, prefix: service.prefix, shards: 1, deadAttempts: 10, clock: () => Date.now() + 3_600_000 });
    try {
      await ahead.ready();
      expect(await ahead.redriveAll('deliver-0')).to.deep.equal({ retried: 1, skipped: 0 });
      expect((await waitForState(service.baseUrl, task.id, 'parked')).run).to.equal(2);
    } finally {
      await ahead.close();
    }
  });

  it('answers what it refuses in the form of the API', async () => {
    const logged = service.log.length;
    const waiting = httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600 });
    await submitNew(service.baseUrl, waiting);
    const json = { 'content-type': 'application/json' };
    const wrong: readonly (readonly [path: string, init: RequestInit, status: number, code: string])[] = [
      [`${API}/t-none`, {}, 404, 'task_not_found'],
      ['/admin/queues/api/queues/deliver-99/t-none', {}, 404, 'not_found'],
      ['/admin/queues/api/queues/deliver-99/retry/failed', { method: 'PUT' }, 404, 'not_found'],
      ['/admin/queues/api/queues/deliver-99/t-none/retry', { method: 'PUT' }, 404, 'not_found'],
      [`${API}/t-none/retry`, { method: 'PUT' }, 404, 'task_not_found'],
      [`${jobPath(waiting.id)}/retry`, { method: 'PUT' }, 405, 'action_refused'],
      [`${jobPath(waiting.id)}/retry`, { method: 'PUT', headers: json, body: '{"a"' }, 400, 'invalid_request'],
      [`${API}/retry/failed`, { method: 'PUT', headers: json, body: '{}' }, 400, 'invalid_request'],
    ];
    for (const [path, init, status, code] of wrong) {
      const response = await fetch(service.baseUrl + path, init);
      const body = (await response.json()) as Record<string, unknown>; // every error of the API is an object
      expect([response.status, body['code'], typeof body['error'], body['request_id']], path).to.deep.equal([status, code, 'string', response.headers.get('x-request-id')]);
    }
    expect(service.log.slice(logged).split('\n').filter((line) => line.includes('bug: a request failed'))).to.deep.equal([]);
  });

  it('Retry and Retry all write down why, and take no other parameter', async () => {
    const one = await deadLetter();
    const another = await deadLetter();
    isDown = false;
    const asked = [[`${jobPath(one.id)}/retry`, one.id], [`${API}/retry/failed`, 'deliver-0']] as const;
    for (const [path, target] of asked) {
      for (const query of ['reason=', 'why=it+is+back']) expect((await put(`${path}?${query}`)).status, query).to.equal(400);
      expect((await put(`${path}?reason=it+is+back`)).status).to.be.oneOf([200, 204]);
      const { entries } = (await call(service.baseUrl, `/audit?action=retry&limit=1`)).body as { readonly entries: readonly object[] };
      expect(entries[0]).to.deep.include({ reason: 'it is back' });
      expect(entries[0]).to.have.nested.property('target.id', target);
    }
    for (const { id } of [one, another]) await waitForState(service.baseUrl, id, 'delivered');
  });

  it('Retry twice at once raises the run by one', async () => {
    const task = await deadLetter({ max_retries: 0 });
    isDown = false;
    const answers = await Promise.all([put(`${jobPath(task.id)}/retry`), put(`${jobPath(task.id)}/retry`)]);
    expect(answers.filter(({ status }) => status < 300)).to.have.lengthOf.at.least(1);
    expect((await waitForState(service.baseUrl, task.id, 'delivered')).run).to.equal(2);
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(3);
  });

  it('refuses to retry what is delivered, with 405, and changes nothing', async () => {
    isDown = false;
    const task = httpTask(receiver.url('/hook'));
    await submitNew(service.baseUrl, task);
    const before = await waitForState(service.baseUrl, task.id, 'delivered');
    for (const path of [`${jobPath(task.id)}/retry`, `${API}/retry/completed`]) {
      const { status } = await put(path);
      expect(status, path).to.equal(405);
    }
    expect(await getTask(service.baseUrl, task.id)).to.deep.equal(before);
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
  });

  it('refuses every other change with 405, and changes nothing', async () => {
    const waiting = httpTask(receiver.url('/hook'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, waiting);
    const dead = await deadLetter();
    const kept = await parked();
    isDown = false;
    const delivered = httpTask(receiver.url('/hook'));
    await submitNew(service.baseUrl, delivered);
    await waitForState(service.baseUrl, delivered.id, 'delivered');
    const all = [waiting, dead, kept, delivered];
    const look = async (): Promise<object[]> => Promise.all(all.map(async ({ id }) => getTask(service.baseUrl, id)));
    const before = await look();
    const { base } = shardKeys(service.prefix);
    /** Of the queue: workers write reports and counts beside it, and these three in it, whatever the board does. */
    const keysOfQueue = async (): Promise<string[]> => (await service.redis.keys(`${base}*`)).filter((key) => !['stalled', 'stalled-check', 'marker'].includes(key.slice(base.length))).sort();
    const keysBefore = await keysOfQueue();
    expect(keysBefore).to.include(`${base}t-${waiting.id}`);

    const ofQueue: readonly (readonly [method: string, path: string, body?: object])[] = [
      ['PUT', `${API}/obliterate`],
      ['PUT', `${API}/empty`],
      ['PUT', `${API}/pause`],
      ['PUT', `${API}/resume`],
      ['PUT', `${API}/promote`],
      ['PUT', `${API}/concurrency`, { concurrency: 1 }],
      ['PUT', `${API}/rate-limit`, { max: 1, duration: 1_000 }],
      ['PUT', `${API}/rate-limit/release`],
      ['PUT', '/admin/queues/api/queues/pause'],
      ['PUT', '/admin/queues/api/queues/resume'],
      ['POST', `${API}/add`, { name: 'x', data: {}, options: {} }],
      ['PUT', `${API}/clean/failed`],
      ['PUT', `${API}/clean/completed`],
      ['PUT', `${API}/clean/delayed`],
      ['PUT', `${API}/job-schedulers/x/remove`],
      ['PATCH', `${API}/job-schedulers/x`, {}],
      ['PUT', `${API}/job-schedulers/x/run`],
      ['DELETE', API],
    ];
    const ofJobs = all.flatMap(({ id }): (readonly [method: string, path: string, body?: object])[] => [
      ['PUT', `${jobPath(id)}/clean`],
      ['PUT', `${jobPath(id)}/promote`],
      ['PATCH', `${jobPath(id)}/update-data`, { jobData: {} }],
      ['PATCH', `${jobPath(id)}/delay`, { delay: 0 }],
      ['PATCH', `${jobPath(id)}/priority`, { priority: 1 }],
      ['PUT', `${jobPath(id)}/remove-unprocessed-children`],
      ['DELETE', jobPath(id)],
    ]);
    for (const [method, path, body] of [...ofQueue, ...ofJobs]) {
      const answer = await put(path, method, body);
      expect([answer.status, answer.body['code']], `${method} ${path}`).to.deep.equal([405, 'action_refused']);
    }
    // Paths that look like a Retry and are another action's.
    for (const path of [`${API}/clean/retry`, `${API}/retry/retry`]) {
      expect((await put(path)).status, path).to.be.at.least(400);
    }
    expect(await look()).to.deep.equal(before);
    expect(await keysOfQueue()).to.deep.equal(keysBefore);
  });

  async function waitForRequests(taskId: string, count: number): Promise<ReturnType<Receiver['requestsFor']>> {
    await receiver.waitForRequests(count);
    return receiver.requestsFor(taskId);
  }
});
