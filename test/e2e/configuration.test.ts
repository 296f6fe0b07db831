import { once } from 'node:events';
import { connect } from 'node:net';

import { expect } from 'chai';

import { EXIT_CONFIG } from '../../shared/config/load.js';
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
        ENVIRONMENT: 'staging',
      });
      expect(await run.ended()).to.equal(EXIT_CONFIG);
      expect(EXIT_CONFIG).to.equal(78);
      for (const text of ['HTTP_PORT="99999"', 'REDIS_ADDR="no:where:at:all"', 'SHUTDOWN_TIMEOUT="soon"', 'ENVIRONMENT="staging": must be dev, prod', 'KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD: set all three']) {
        expect(run.output).to.contain(text);
      }
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

  it('ends with 78 and says whose fault it is', async () => {
    const service = await Service.start({ workers: 0 });
    try {
      const { port } = new URL(service.baseUrl);
      const second = start('server/main.js', { REDIS_ADDR: printAddress(testRedisAddress()), HTTP_HOST: '127.0.0.1', HTTP_PORT: port });
      expect(await second.ended()).to.equal(EXIT_CONFIG);
      expect(second.output).to.contain(`port ${port}`).and.to.contain('HTTP_PORT');
    } finally {
      await service.close();
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

  it('is readable in dev: one line for each attempt, with all that one asks for, and never the message', async () => {
    receiver.on('/down', { kind: 'answer', status: 500 });
    const service = await Service.start();
    try {
      const task = httpTask(receiver.url('/down'), { max_retries: 1, message_data: 'super-secret-payload', dead_destination: { url: receiver.url('/dead?token=super-secret-token') } });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'dead_lettered');
      await service.close();
      const lines = service.output.split('\n').filter((line) => line.includes(`task_id=${task.id}`));
      const stamp = String.raw`^\d\d:\d\d:\d\d\.\d{3} info  attempt task_id=${task.id} run=1`;
      const pattern = (text: string): RegExp => new RegExp(`${stamp} ${text}`);
      expect(lines).to.have.lengthOf(3);
      expect(lines[0]).to.match(pattern(String.raw`phase=delivery attempt=0 max_retries=1 destination="http http://127\.0\.0\.1:\d+/down" outcome=retry duration_ms=\d+ code=http_server_error http_status=500 next_delay_ms=50`));
      expect(lines[1]).to.match(pattern(String.raw`phase=delivery attempt=1 max_retries=1 destination="[^"]+/down" outcome=dead_letter duration_ms=\d+ code=http_server_error http_status=500`));
      expect(lines[2]).to.match(pattern(String.raw`phase=dead attempt=0 max_retries=1 destination="[^"]+/dead\?\.\.\." outcome=dead_lettered duration_ms=\d+ http_status=200`));
      expect(service.output).to.not.match(/super-secret/);
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
