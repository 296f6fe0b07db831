import { createSecretKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

import { printReport, reencrypt, type StoreReport } from '../../../../server/credentials/reencrypt.js';
import { createSecretBox, type SecretKey } from '../../../../shared/domain/secrets/secret-box.js';
import { TestAuthority } from '../../../support/certificates.js';
import { setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { monitorRedis } from '../../../support/redis-monitor.js';
import { PrivateRedis, printAddress, testRedisAddress } from '../../../support/redis.js';
import { ServiceProcess, type Ending, type Settings } from '../../../support/service.js';
import { connect, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

describe('npm run secrets:reencrypt', () => {
  const bytes = { old: randomBytes(32), new: randomBytes(32) };
  const keyOf = (id: 'old' | 'new'): SecretKey => ({ id, key: createSecretKey(bytes[id]) });
  const keysText = (...ids: readonly ('old' | 'new')[]): string => ids.map((id) => `${id}:${bytes[id].toString('base64')}`).join(',');
  const both = createSecretBox([keyOf('new'), keyOf('old')], randomBytes);
  let service: InProcessService;
  let receiver: Receiver;
  let authority: TestAuthority;

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/refused', { kind: 'answer', status: 400 });
    authority = await TestAuthority.create();
    service = await InProcessService.ready({ secretsKeys: keysText('old') });
  });
  after(async () => {
    await service.close();
    await receiver.close();
    await authority.close();
  });

  const run = (): Promise<readonly StoreReport[]> => reencrypt({ queue: service.queue, redis: service.redis, prefix: service.prefix, shards: 1, secrets: both });

  it('puts every store under the newest key, counts what has to wait, and calls no key free before', async () => {
    const headers = { authorization: 'Bearer of-task' };
    const waiting = httpTask('', { destination: { url: receiver.url('/waiting'), headers }, dead_destination: { url: receiver.url('/dead'), headers }, initial_delay: 3_600, message_data: '"s":[["x"],"fake.'.repeat(3) });
    await submitNew(service.baseUrl, waiting);
    // A destination that is stored with a method has the letter of the message in it.
    const withMethods = httpTask('', { destination: { url: receiver.url('/waiting'), method: 'PUT', headers }, dead_destination: { url: receiver.url('/dead'), method: 'PATCH', headers }, initial_delay: 3_600, message_data: ',"m":"","s":[["x"],"fake.' });
    await submitNew(service.baseUrl, withMethods);
    // One that has ended as dead, and one that is parked.
    const old = await service.startWorker();
    const dead = httpTask('', { destination: { url: receiver.url('/refused'), headers }, dead_destination: { url: receiver.url('/dead'), headers } });
    const parked = httpTask('', { destination: { url: receiver.url('/refused'), headers }, on_exhausted: 'park' });
    for (const [task, state] of [[dead, 'dead_lettered'], [parked, 'parked']] as const) {
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, state);
    }
    await old.stop(0);
    const all = { headers: { 'x-a': 'header' }, oauth2: { token_url: 'https://tokens.example.com/', client_id: 'c', client_secret: 's' }, signing: { rotate: {} } };
    await setCredentials(service.baseUrl, receiver.url('/all'), all);
    await setCredentials(service.baseUrl, receiver.url('/all'), { signing: { rotate: {} } });
    const { cert, key } = await authority.issue();
    const [certificate, certificateKey] = await Promise.all([cert, key].map((file) => readFile(file, 'utf8')));
    await setCredentials(service.baseUrl, receiver.url('/certificate'), { client_certificate: { certificate, key: certificateKey } });
    await setCredentials(service.baseUrl, 'kafka://127.0.0.1:9', { sasl: { mechanism: 'plain', username: 'u', password: 'p' } });
    await setCredentials(service.baseUrl, receiver.url('/basic'), { basic: { user: 'u', password: 'p' } });
    await setCredentials(service.baseUrl, receiver.url('/bearer'), { bearer: { token: 't' } });
    await service.redis.set(`${service.prefix}:credentials:token:some-client`, createSecretBox([keyOf('old')], randomBytes).seal('{}', ['token', 'some-client']), 'EX', 60);
    const bulk = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id: 'b1', action: 'redrive', ids: [waiting.id], override: { destination: { url: receiver.url('/bulk'), headers } } }) });
    expect(bulk.status).to.equal(201);

    const reports = await run();
    expect(reports).to.deep.equal([
      { store: 'credentials', reencrypted: 5, left: {} },
      { store: 'tokens', reencrypted: 1, left: {} },
      { store: 'overrides of bulk actions', reencrypted: 1, left: {} },
      { store: 'headers of tasks', reencrypted: 0, left: { old: 7 } },
    ]);
    expect(printReport(reports, ['old'])).to.contain('headers of tasks: 0 put under the newest key, left: 7 under old').and.to.contain('The key old is still needed by 7');
    expect((await run()).map(({ reencrypted }) => reencrypted), 'a second run finds nothing to do').to.deep.equal([0, 0, 0, 0]);

    // The new key alone opens all but the task.
    await service.startWorker({ secretsKeys: keysText('new') });
    for (const path of ['/basic', '/bearer']) {
      const task = httpTask(receiver.url(path));
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(receiver.requestsTo(path)[0]?.headers['authorization']).to.equal(path === '/basic' ? `Basic ${Buffer.from('u:p').toString('base64')}` : 'Bearer t');
    }
    for (const { id } of [waiting, withMethods, parked]) await call(service.baseUrl, `/tasks/${id}`, { method: 'DELETE' });
    await service.redis.del(...(await service.redis.keys(`${service.prefix}:deliver-0:t-*`)));
    expect(printReport(await run(), ['old'])).to.contain('The key old is free');
  });

  it('encrypts overrides that were stored without a key, and counts the headers of tasks that were', async () => {
    const clear = await InProcessService.ready({ prefix: service.prefix });
    const headers = { authorization: 'Bearer in-clear' };
    const task = httpTask('', { destination: { url: receiver.url('/clear'), method: 'PUT', headers }, initial_delay: 3_600, message_data: '"h":{"x":1}' });
    await submitNew(clear.baseUrl, task);
    const bulk = await call(clear.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id: 'clear', action: 'redrive', ids: [task.id], override: { destination: { url: receiver.url('/bulk'), headers } } }) });
    expect(bulk.status).to.equal(201);
    const reports = await run();
    expect(reports.slice(2)).to.deep.equal([
      { store: 'overrides of bulk actions', reencrypted: 1, left: {} },
      { store: 'headers of tasks', reencrypted: 0, left: { '(none)': 1 } },
    ]);
    expect(printReport(reports, [])).to.contain('left: 1 not encrypted');
    expect(await service.redis.hget(`${service.prefix}:bulk:action:clear`, 'asked')).to.not.contain('in-clear');
    await clear.close();
  });

  it('reads large tasks a few at a time, so that Redis answers others between', async () => {
    const jobs = Array.from({ length: 12 }, (_, nth) => `${service.prefix}:deliver-0:t-large-${nth}`);
    const data = `{"d":{"s":[["x"],"old.abc"]},"m":"${'m'.repeat(1_048_576)}"}`;
    for (const job of jobs) await service.redis.hset(job, 'data', data);
    const read: number[] = [];
    const endMonitor = await monitorRedis(([command = '', key = '']) => {
      if (command.toLowerCase() === 'eval') read.push(0);
      else if (command === 'HGET' && jobs.includes(key)) read.push((read.pop() ?? 0) + 1);
    });
    const { left } = (await run()).at(-1) ?? {};
    await eventually(() => expect(read.reduce((sum, count) => sum + count, 0)).to.equal(12));
    endMonitor();
    await service.redis.del(...jobs);
    expect(left).to.deep.include({ old: 12 });
    expect(Math.max(...read), String(read)).to.be.at.most(5);
  });

  it('looks into the Redis that the service moves away from, too', async () => {
    const previous = await PrivateRedis.start();
    const redis = connect('worker', previous.address);
    const prefix = uniquePrefix();
    const job = `${prefix}:deliver-0:t-previous`;
    try {
      await redis.hset(job, 'data', '{"d":{"s":[["x"],"old.abc"]},"m":"m"}');
      const whole = async (changes: Settings = {}): Promise<{ ending: Ending; output: string }> => {
        const program = new ServiceProcess('server/credentials/reencrypt-main.js', { REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: prefix, SECRETS_KEYS: keysText('new', 'old'), PREVIOUS_REDIS_ADDR: printAddress(previous.address), ...changes });
        return { ending: await program.ended(), output: program.output };
      };
      const needed = await whole();
      expect(needed.output).to.contain('\nheaders of tasks: 0 put under the newest key, none left under another\n').and.to.contain('old Redis: headers of tasks: 0 put under the newest key, left: 1 under old\n').and.to.contain('The key old is still needed by 1');
      expect(needed.ending).to.equal(1);
      await redis.del(job);
      const free = await whole();
      expect(free.output).to.contain('The key old is free');
      expect(free.ending).to.equal(0);
      const refused = await whole({ PREVIOUS_REDIS_DB: '16' });
      expect(refused.output).to.contain(`old Redis: redis ${printAddress(previous.address)} refuses database 16, check REDIS_DB`);
      expect(refused.ending).to.equal(78);
    } finally {
      redis.disconnect();
      await previous.close();
    }
  }).timeout(15_000);

  it('leaves what it cannot decrypt, and says under which key it is', async () => {
    const lost = createSecretBox([{ id: 'lost', key: createSecretKey(randomBytes(32)) }], randomBytes);
    await service.redis.hset(`${service.prefix}:credentials:of`, 'https://lost.example', JSON.stringify({ bearer: { secret: lost.seal('{}', ['credentials', 'https://lost.example', 'bearer']), shown: {}, updatedAt: 1 } }));
    const [credentials] = await run();
    expect(credentials).to.deep.equal({ store: 'credentials', reencrypted: 0, left: { lost: 1 } });
  });
});
