import { createSecretKey, randomBytes } from 'node:crypto';
import { expect } from 'chai';

import { printReport, reencrypt, type StoreReport } from '../../../../server/credentials/reencrypt.js';
import { createSecretBox, type SecretKey } from '../../../../shared/domain/secrets/secret-box.js';
import { setCredentials } from '../../../support/credentials.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

describe('npm run secrets:reencrypt', () => {
  const bytes = { old: randomBytes(32), new: randomBytes(32) };
  const keyOf = (id: 'old' | 'new'): SecretKey => ({ id, key: createSecretKey(bytes[id]) });
  const both = createSecretBox([keyOf('new'), keyOf('old')], randomBytes);
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ secretsKeys: `old:${bytes.old.toString('base64')}` });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const run = (): Promise<readonly StoreReport[]> => reencrypt({ queue: service.queue, redis: service.redis, prefix: service.prefix, shards: 1, secrets: both });

  it('puts every store under the newest key, counts what has to wait, and calls no key free before', async () => {
    const headers = { authorization: 'Bearer of-task' };
    const waiting = httpTask('', { destination: { url: receiver.url('/waiting'), headers }, dead_destination: { url: receiver.url('/dead'), headers }, initial_delay: 3_600, message_data: '"s":[["x"],"fake.'.repeat(3) });
    await submitNew(service.baseUrl, waiting);
    // A destination that is stored with a method has the letter of the message in it.
    const withMethods = httpTask('', { destination: { url: receiver.url('/waiting'), method: 'PUT', headers }, dead_destination: { url: receiver.url('/dead'), method: 'PATCH', headers }, initial_delay: 3_600, message_data: ',"m":"","s":[["x"],"fake.' });
    await submitNew(service.baseUrl, withMethods);
    const all = { headers: { 'x-a': 'header' }, oauth2: { token_url: 'https://tokens.example.com/', client_id: 'c', client_secret: 's' }, signing: { rotate: {} } };
    await setCredentials(service.baseUrl, receiver.url('/all'), all);
    await setCredentials(service.baseUrl, receiver.url('/all'), { signing: { rotate: {} } });
    await setCredentials(service.baseUrl, receiver.url('/basic'), { basic: { user: 'u', password: 'p' } });
    await setCredentials(service.baseUrl, receiver.url('/bearer'), { bearer: { token: 't' } });
    await service.redis.set(`${service.prefix}:credentials:token:some-client`, createSecretBox([keyOf('old')], randomBytes).seal('{}', ['token', 'some-client']), 'EX', 60);
    const bulk = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id: 'b1', action: 'redrive', ids: [waiting.id], override: { destination: { url: receiver.url('/bulk'), headers } } }) });
    expect(bulk.status).to.equal(201);

    const reports = await run();
    expect(reports).to.deep.equal([
      { store: 'credentials', reencrypted: 3, left: {} },
      { store: 'tokens', reencrypted: 1, left: {} },
      { store: 'overrides of bulk actions', reencrypted: 1, left: {} },
      { store: 'headers of tasks', reencrypted: 0, left: { old: 4 } },
    ]);
    expect(printReport(reports, ['old'])).to.contain('headers of tasks: 0 put under the newest key, left: 4 under old').and.to.contain('The key old is still needed by 4');
    expect((await run()).map(({ reencrypted }) => reencrypted), 'a second run finds nothing to do').to.deep.equal([0, 0, 0, 0]);

    // The new key alone opens all but the task.
    await service.startWorker({ secretsKeys: `new:${bytes.new.toString('base64')}` });
    for (const path of ['/basic', '/bearer']) {
      const task = httpTask(receiver.url(path));
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(receiver.requestsTo(path)[0]?.headers['authorization']).to.equal(path === '/basic' ? `Basic ${Buffer.from('u:p').toString('base64')}` : 'Bearer t');
    }
    for (const { id } of [waiting, withMethods]) {
      await call(service.baseUrl, `/tasks/${id}`, { method: 'DELETE' });
      await service.redis.del(...(await service.redis.keys(`${service.prefix}:deliver-0:t-${id}`)));
    }
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

  it('leaves what it cannot decrypt, and says under which key it is', async () => {
    const lost = createSecretBox([{ id: 'lost', key: createSecretKey(randomBytes(32)) }], randomBytes);
    await service.redis.hset(`${service.prefix}:credentials:of`, 'https://lost.example', JSON.stringify({ bearer: { secret: lost.seal('{}', ['credentials', 'https://lost.example', 'bearer']), shown: {}, updatedAt: 1 } }));
    const [credentials] = await run();
    expect(credentials).to.deep.equal({ store: 'credentials', reencrypted: 0, left: { lost: 1 } });
  });
});
