import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { expect } from 'chai';

import { serviceVersion } from '../../shared/config/service-version.js';
import { EXIT_CONFIG } from '../../shared/config/load.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { PrivateRedis, printAddress, testRedisAddress } from '../support/redis.js';
import { Service, ServiceProcess } from '../support/service.js';
import { httpTask, submitNew, waitForState } from '../support/tasks.js';

const entries = ['server/main.js', 'workers/main.js'] as const;

const started: ServiceProcess[] = [];

function start(...args: ConstructorParameters<typeof ServiceProcess>): ServiceProcess {
  const made = new ServiceProcess(...args);
  started.push(made);
  return made;
}

/** For afterEach of every suite here: each test waits for the end of what it starts, so nothing may be left. */
async function expectAllEnded(): Promise<void> {
  const left = started.splice(0).filter(({ isRunning }) => isRunning);
  await Promise.all(left.map((each) => each.kill()));
  expect(left.map(({ output }) => output), 'left running').to.deep.equal([]);
}

for (const entry of entries) {
  describe(`e2e: ${entry} with a wrong configuration`, () => {
    afterEach(expectAllEnded);

    it('ends with 78 and names every fault, but no secret', async () => {
      const run = start(entry, {
        HTTP_PORT: '99999',
        REDIS_ADDR: 'no:where:at:all',
        REDIS_PASSWORD: 'hunter2',
        KAFKA_PASSWORD: 'hunter3',
        SHUTDOWN_TIMEOUT: 'soon',
        DELIVERY_TIMOUT: 'hunter4',
      });
      expect(await run.ended()).to.equal(EXIT_CONFIG);
      expect(EXIT_CONFIG).to.equal(78);
      for (const text of ['HTTP_PORT="99999"', 'REDIS_ADDR="no:where:at:all"', 'SHUTDOWN_TIMEOUT="soon"', 'KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD: set all three', 'DELIVERY_TIMEOUT is probably meant']) {
        expect(run.output).to.contain(text);
      }
      expect(run.output).to.not.match(/hunter/);
    });

    for (const environment of ['prod', 'production']) it(`says so with ENVIRONMENT=${environment} by a line of JSON for each fault, as all else is said in prod`, async () => {
      const run = start(entry, { ENVIRONMENT: environment, HTTP_PORT: '99999', KAFKA_PASSWORD: 'hunter3', OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter5\ntenant=7', DELIVERY_TIMOUT: 'hunter4' });
      expect(await run.ended()).to.equal(EXIT_CONFIG);
      const lines = run.output.trim().split('\n').map((line) => JSON.parse(line) as Readonly<Record<string, string>>);
      const role = entry === 'server/main.js' ? 'api' : 'worker';
      expect(lines.map(({ level, role: of, service, event, version }) => [level, of, service, event, version])).to.deep.equal([
        ...Array<string[]>(environment === 'prod' ? 3 : 4).fill(['error', role, 'kafka-retry-service', 'start_refused', serviceVersion()]),
        ['warn', role, 'kafka-retry-service', 'configuration_warning', serviceVersion()],
      ]);
      expect(lines.map(({ message = '' }) => message.split(/[=,] ?/)[0])).to.have.members([...(environment === 'prod' ? [] : ['ENVIRONMENT']), 'HTTP_PORT', 'OTEL_EXPORTER_OTLP_HEADERS', 'KAFKA_SASL_MECHANISM', 'DELIVERY_TIMOUT is set']);
      expect(run.output).to.not.match(/hunter/);
    });
  });

  describe(`e2e: ${entry} with another BullMQ than it was made for`, () => {
    afterEach(expectAllEnded);

    it('ends with 78, and says what was expected and what was found', async () => {
      const preload = new URL('preload/other-bullmq.mjs', import.meta.url);
      const run = start(entry, { REDIS_ADDR: printAddress(testRedisAddress()), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', NODE_OPTIONS: `--import=${preload.href}` });
      expect(await run.ended()).to.equal(EXIT_CONFIG);
      expect(run.output).to.contain('expected 9 keys and 2 values of the script promote, found 10 and 2').and.to.contain('npm ci');
    });
  });

  describe(`e2e: ${entry} on a Redis that evicts`, () => {
    let redis: PrivateRedis;
    before(async () => { redis = await PrivateRedis.start(['--maxmemory-policy', 'allkeys-lru']); });
    after(() => redis.close());
    afterEach(expectAllEnded);

    const settings = (environment: string): Record<string, string> => ({ REDIS_ADDR: printAddress(redis.address), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', ENVIRONMENT: environment });

    it('ends with 78 in prod, and says what to set', async () => {
      const run = start(entry, settings('prod'));
      expect(await run.ended()).to.equal(EXIT_CONFIG);
      expect(run.output).to.contain('maxmemory-policy allkeys-lru').and.to.contain('Set maxmemory-policy noeviction');
    });

    it('warns in dev, and runs', async () => {
      const run = start(entry, settings('dev'));
      await run.hasWritten(/maxmemory-policy allkeys-lru/);
      await run.hasWritten(/is up/);
      expect(await run.stop()).to.equal(0);
    });
  });
}

describe('an API that is told to stop', () => {
  it('does not wait for unused connections, nor for a request that never begins', async () => {
    const service = await Service.start({ workers: 0 });
    const api = await service.startServer();
    const { port } = new URL(service.baseUrl);
    const unused = connect(Number(port), '127.0.0.1');
    const halfSent = connect(Number(port), '127.0.0.1');
    await Promise.all([once(unused, 'connect'), once(halfSent, 'connect')]);
    for (const socket of [unused, halfSent]) socket.on('error', () => undefined);
    halfSent.write('POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n');
    expect(await api.stop()).to.equal(0);
    await service.close();
  });
});

describe('e2e: the API on a port that is taken', () => {
  afterEach(expectAllEnded);

  it('ends with 78, says whose fault it is, and names a port that is free', async () => {
    const service = await Service.start({ workers: 0 });
    try {
      const { port } = new URL(service.baseUrl);
      const second = start('server/main.js', { REDIS_ADDR: printAddress(testRedisAddress()), HTTP_HOST: '127.0.0.1', HTTP_PORT: port });
      expect(await second.ended()).to.equal(EXIT_CONFIG);
      expect(second.output).to.contain(`port ${port}`);
      const [, free = ''] = /HTTP_PORT=(\d+), which is free now/.exec(second.output) ?? [];
      const server = createServer().listen(Number(free), '127.0.0.1');
      await once(server, 'listening');
      server.close();
    } finally {
      await service.close();
    }
  });
});

describe('e2e: the port of a worker', () => {
  afterEach(expectAllEnded);

  const settings = { REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: uniquePrefix(), HTTP_HOST: '127.0.0.1' };

  it('ends the worker with 78 in one line when it is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const address = holder.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const worker = start('workers/main.js', { ...settings, WORKER_HTTP_PORT: String(port) });
      expect(await worker.ended()).to.equal(EXIT_CONFIG);
      expect(worker.lines.filter((line) => line.includes('error'))).to.have.lengthOf(1);
      expect(worker.output).to.include(`port ${port} on 127.0.0.1 is taken by another process: choose another one with WORKER_HTTP_PORT, such as `);
      const [, free = ''] = /WORKER_HTTP_PORT=(\d+), which is free now; off opens none/.exec(worker.output) ?? [];
      const server = createServer().listen(Number(free), '127.0.0.1');
      await once(server, 'listening');
      server.close();
    } finally {
      holder.close();
    }
  });

  it('is closed where nothing asks for it', async () => {
    const worker = start('workers/main.js', settings);
    await worker.hasWritten(/worker is up/);
    expect(worker.output).to.not.include('http_port');
    expect(await worker.stop()).to.equal(0);
  });

  it('says that the worker lives while it waits for a Redis, and while that is frozen', async () => {
    const redis = await PrivateRedis.stopped();
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const address = free.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    free.close();
    await once(free, 'close');
    try {
      const worker = start('workers/main.js', { ...settings, REDIS_ADDR: printAddress(redis.address), WORKER_HTTP_PORT: String(port) });
      const seen = async (): Promise<number[]> => Promise.all(['/livez', '/readyz'].map(async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status));
      await eventually(async () => expect(await seen()).to.deep.equal([200, 503]), { withinMs: 20_000 });
      await redis.restart();
      await eventually(async () => expect(await seen()).to.deep.equal([200, 200]), { withinMs: 20_000 });
      await redis.freeze();
      await eventually(async () => expect(await seen()).to.deep.equal([200, 503]), { withinMs: 20_000 });
      redis.thaw();
      await eventually(async () => expect(await seen()).to.deep.equal([200, 200]), { withinMs: 20_000 });
      expect(await worker.stop()).to.equal(0);
    } finally {
      await redis.close();
    }
  });

  it('with AUTH on shows metrics for METRICS_TOKEN alone, and warns where there is none', async () => {
    const token = 'scrape-0123456789abcdef';
    for (const [given, expected] of [[{ METRICS_TOKEN: token }, 200], [{}, 401]] as const) {
      const worker = start('workers/main.js', { ...settings, AUTH: 'on', WORKER_HTTP_PORT: '0', ...given });
      const [, port = ''] = await worker.hasWritten(/worker is up.*http_port=(\d+)/);
      const status = async (headers: Record<string, string>): Promise<number> => (await fetch(`http://127.0.0.1:${port}/metrics`, { headers })).status;
      expect([await status({}), await status({ authorization: `Bearer ${token}` })]).to.deep.equal([401, expected]);
      expect(worker.output.includes('/metrics of this worker answers nobody')).to.equal(expected === 401);
      expect(await worker.stop()).to.equal(0);
    }
  });
});

describe('e2e: Ctrl-C', () => {
  afterEach(expectAllEnded);

  it('says who stops and what it waits for, and ends with 0', async () => {
    const receiver = await createReceiver();
    const settings = { REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: uniquePrefix(), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' };
    try {
      let letGo = (): void => undefined;
      receiver.on('/slow', { kind: 'answer', after: new Promise<void>((resolve) => { letGo = resolve; }) });
      const api = start('server/main.js', settings);
      const worker = start('workers/main.js', settings);
      await worker.hasWritten(/worker is up/);
      const [, url = ''] = await api.hasWritten(/the API is up url=(\S+)/);
      // It listens before it has heard of Redis.
      await eventually(async () => { expect((await fetch(`${url}/readyz`)).status).to.equal(200); }, { withinMs: 20_000 });
      for (let nth = 0; nth < 3; nth += 1) await submitNew(url, httpTask(receiver.url('/slow')));
      await receiver.waitForRequests(3);
      // Half of a request that the API waits for: `100 Continue` says that it has begun.
      const { port } = new URL(url);
      const client = connect(Number(port), '127.0.0.1');
      client.on('error', () => undefined);
      client.write('POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
      const [answer] = (await once(client, 'data')) as [Buffer];
      expect(answer.toString()).to.match(/^HTTP\/1.1 100 /);
      client.write('{');

      for (const each of [api, worker]) process.kill(each.pid, 'SIGINT');
      await worker.hasWritten(/ worker: stopping, 3 sends in flight, up to 10 s; press Ctrl-C again to end at once why=SIGINT\n/);
      await api.hasWritten(/ api: stopping, 1 request in flight, up to 10 s; press Ctrl-C again to end at once why=SIGINT\n/);
      client.end('}');
      letGo();
      expect([await worker.ended(), await api.ended()], worker.output + api.output).to.deep.equal([0, 0]);
      expect(worker.output).to.match(/ worker: stopped\n$/);
    } finally {
      await receiver.close();
    }
  });
});

describe('e2e: processes that are told to stop while Redis is away', () => {
  afterEach(expectAllEnded);

  for (const entry of entries) {
    it(`${entry} that never saw Redis ends with 0`, async () => {
      const redis = await PrivateRedis.stopped();
      try {
        const run = start(entry, { REDIS_ADDR: printAddress(redis.address), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
        await run.hasWritten(/redis is away/);
        expect(await run.stop()).to.equal(0);
      } finally {
        await redis.close();
      }
    });

    it(`${entry} that lost Redis ends within SHUTDOWN_TIMEOUT`, async () => {
      const redis = await PrivateRedis.start();
      try {
        const run = start(entry, { REDIS_ADDR: printAddress(redis.address), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', SHUTDOWN_TIMEOUT: '3s' });
        await run.hasWritten(/is up/);
        await redis.kill();
        await run.hasWritten(/redis is away/);
        const toldAt = Date.now();
        const ending = await run.stop();
        expect(Date.now() - toldAt).to.be.below(4_000);
        // Whether closing counts as failed is not the point; being killed for hanging would be.
        expect([0, 1]).to.include(ending);
      } finally {
        await redis.close();
      }
    });
  }
});

describe('e2e: what is logged', () => {
  let receiver: Receiver;
  before(async () => { receiver = await createReceiver(); });
  after(() => receiver.close());

  /** A task that fails twice, and goes to its dead destination. */
  async function failToTheEnd(settings: Record<string, string>): Promise<{ readonly lines: string[]; readonly id: string }> {
    receiver.on('/down', { kind: 'answer', status: 500 });
    const service = await Service.start({ settings });
    try {
      const task = httpTask(receiver.url('/down?token=super-secret-token'), { max_retries: 1, message_data: 'super-secret-payload', dead_destination: { url: receiver.url('/dead?token=super-secret-token') } });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'dead_lettered');
      await service.close();
      expect(service.output).to.not.match(/super-secret/);
      return { lines: service.output.split('\n').filter((line) => line.includes(task.id)), id: task.id };
    } finally {
      await service.close();
    }
  }

  it('is one short line for each attempt in dev, and never the message', async () => {
    const { lines, id } = await failToTheEnd({});
    const stamp = String.raw`^\d\d:\d\d:\d\d\.\d{3} info  worker: `;
    const pattern = (outcome: string, path: string, facts: string): RegExp => new RegExp(String.raw`${stamp}${outcome} ${id} -> http://127\.0\.0\.1:\d+${path} \(${facts}\)$`);
    expect(lines).to.have.lengthOf(3);
    const late = String.raw`(, [\d.]+ m?s late)?`;
    expect(lines[0]).to.match(pattern('retry', '/down', String.raw`500 http_server_error, [\d.]+ m?s, attempt 0 of 1${late}, again in 50 ms`));
    expect(lines[1]).to.match(pattern('dead_letter', '/down', String.raw`500 http_server_error, [\d.]+ m?s, attempt 1 of 1${late}`));
    expect(lines[2]).to.match(pattern('dead_lettered', '/dead', String.raw`200, [\d.]+ m?s, dead letter, attempt 0${late}`));
  });

  it('is a JSON object for each attempt in prod, with all that one asks for', async () => {
    const { lines, id } = await failToTheEnd({ ENVIRONMENT: 'prod' });
    const attempts = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(attempts).to.have.lengthOf(3);
    for (const attempt of attempts) {
      expect(attempt).to.include({ level: 'info', service: 'kafka-retry-service', version: serviceVersion(), role: 'worker', event: 'attempt', message: 'attempt', task_id: id, run: 1, max_retries: 1 });
      expect(attempt).to.have.all.keys('time', 'level', 'service', 'version', 'role', 'event', 'message', 'task_id', 'client_id', 'source', 'run', 'phase', 'attempt', 'max_retries', 'destination', 'outcome', 'duration_ms', 'late_ms', 'http_status', ...(attempt['outcome'] === 'dead_lettered' ? [] : ['code']), ...(attempt['outcome'] === 'retry' ? ['next_delay_ms'] : []));
      expect(attempt['late_ms']).to.satisfy((ms: unknown) => Number.isInteger(ms) && Number(ms) >= 0 && Number(ms) < 10_000);
    }
    const { origin } = new URL(receiver.url('/'));
    expect(attempts.map(({ phase, attempt, destination, outcome, next_delay_ms }) => [phase, attempt, destination, outcome, next_delay_ms])).to.deep.equal([
      ['delivery', 0, `${origin}/down`, 'retry', 50],
      ['delivery', 1, `${origin}/down`, 'dead_letter', undefined],
      ['dead_letter', 0, `${origin}/dead`, 'dead_lettered', undefined],
    ]);
  });

  it('says how late a send was: what waited while no worker ran', async () => {
    const service = await Service.start({ workers: 0, settings: { ENVIRONMENT: 'prod' } });
    try {
      const task = httpTask(receiver.url('/late'), { initial_delay: 0.1 });
      const { body } = await submitNew(service.baseUrl, task);
      const dueAt = Date.parse(String(body['next_attempt_at']));
      await eventually(() => { expect(Date.now()).to.be.above(dueAt + 1_000); });
      await service.startWorker();
      await waitForState(service.baseUrl, task.id, 'delivered');
      await service.close();
      const [, late = ''] = new RegExp(String.raw`"task_id":"${task.id}".*"late_ms":(\d+)`).exec(service.output) ?? [];
      const [request] = receiver.requestsTo('/late');
      expect(Number(late)).to.be.within(1_000, (request?.arrivedAt ?? 0) - dueAt + 50);
    } finally {
      await service.close();
    }
  });

  it('names what the API refuses, without what was sent', async () => {
    const service = await Service.start({ workers: 0, settings: { ENVIRONMENT: 'prod' } });
    try {
      const wrong = { ...httpTask(receiver.url('/')), max_retries: -1, 'super-secret-name': 'super-secret-payload' };
      for (const body of [JSON.stringify(wrong), '{"message_data":"super-secret-payload"']) {
        const { status } = await fetch(`${service.baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'mine' }, body });
        expect(status).to.equal(400);
      }
      expect((await fetch(`${service.baseUrl}/tasks/none?include=none`)).status).to.equal(400);
      expect((await fetch(`${service.baseUrl}/destinations/https://user:super-secret-password@api.example.com/a`)).status).to.equal(404);
      for (let nth = 0; nth < 20; nth += 1) await fetch(`${service.baseUrl}/tasks/none`);
      await service.close();
      const lines = service.output.split('\n').flatMap((line) => (line.includes('refused') ? [JSON.parse(line) as Record<string, unknown>] : []));
      expect(lines[0]).to.include({ level: 'info', role: 'api', message: 'request refused', method: 'POST', path: '/tasks', status: 400, code: 'invalid_task', fields: 'max_retries', request_id: 'mine', remote_address: '127.0.0.1' });
      expect(lines[1]).to.include({ status: 400, code: 'invalid_json' });
      expect(lines[2]).to.include({ method: 'GET', path: '/tasks/none', status: 400, code: 'invalid_request' });
      expect(lines[3]).to.include({ status: 404, code: 'not_found' });
      expect(lines[4]).to.include({ path: '/tasks/none', status: 404, code: 'task_not_found' });
      const told = lines.reduce((sum, { count = 1 }) => sum + Number(count), 0);
      expect(told, 'each is logged or counted').to.equal(24);
      expect(lines.some(({ codes }) => String(codes).startsWith('task_not_found ')), 'most are counted').to.equal(true);
      expect(service.output).to.not.match(/super-secret/);
    } finally {
      await service.close();
    }
  });

  it('ends with 78 in prod when it asks for keys and there is none, and starts with a bootstrap key', async () => {
    const key = `krs_ops1_${'0a'.repeat(32)}`;
    const settings = { REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: uniquePrefix(), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', ENVIRONMENT: 'prod', AUTH: '' };
    const keyless = new ServiceProcess('server/main.js', settings);
    expect(await keyless.ended()).to.equal(78);
    expect(keyless.output).to.include('no access key is stored: set BOOTSTRAP_API_KEY');

    const service = await Service.start({ workers: 0, settings: { ENVIRONMENT: 'prod', AUTH: '', BOOTSTRAP_API_KEY: key } });
    try {
      expect((await fetch(`${service.baseUrl}/stats`)).status).to.equal(401);
      expect((await fetch(`${service.baseUrl}/stats`, { headers: { authorization: `Bearer ${key}` } })).status).to.equal(200);
      await service.close();
      expect(service.output).to.not.include(key.slice(-64));
    } finally {
      await service.close();
    }
  });

  it('says once that POLL_INTERVAL is ignored', async () => {
    const service = await Service.start({ workers: 1, settings: { POLL_INTERVAL: '5s' } });
    await service.close();
    expect(service.output.match(/POLL_INTERVAL is ignored/g)).to.have.lengthOf(2); // once in each process
  });
});
