import { expect } from 'chai';

import { HIDDEN_FOR_MS } from '../../../../shared/queue/flow/secret-path-scripts.js';
import { flowKeys } from '../../../../shared/queue/names.js';
import { credentialsPath, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

const SECRET = 'T1secret';
const HIDDEN = /\/\*[0-9a-f]{32}$/;

/** One process lists a host in SECRET_PATH_HOSTS, and another one does not. */
describe('the secret paths of a fleet', () => {
  const log = new CollectedLog();
  let receiver: Receiver;
  let service: InProcessService;
  beforeEach(async () => { receiver = await createReceiver(); });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const get = async (path: string): Promise<Readonly<Record<string, unknown>>> => (await call(service.baseUrl, path)).body;
  const url = (): string => receiver.url(`/${SECRET}`);
  const destination = (): Promise<Readonly<Record<string, unknown>>> => get(`/destinations/${encodeURIComponent(url())}`);
  const untilHidden = (): Promise<void> => eventually(async () => { expect((await destination())['key']).to.match(HIDDEN); });

  it('are hidden by an API that does not list the host, and by workers that do not: nothing shows them, and what was set under the open path holds', async () => {
    service = await InProcessService.ready({ secretsKeys: secretKey('k1'), log });
    await service.startWorker();
    receiver.on(`/${SECRET}`, () => ({ kind: 'answer', status: 500 }));
    const failing = httpTask(url(), { max_retries: 0, on_exhausted: 'park' });
    await submitNew(service.baseUrl, failing);
    await waitForState(service.baseUrl, failing.id, 'parked');
    expect((await destination())['key'], 'before').to.equal(url());
    await setCredentials(service.baseUrl, url(), { bearer: { token: 'token-of-the-open-path' } });
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(url())}/pause`, { method: 'POST' })).status).to.equal(200);

    const logBefore = service.log.length;
    // A worker alone knows that they are secret.
    await service.startWorker({ secretPathHosts: '127.0.0.1' });
    await untilHidden();
    const held = httpTask(url(), {});
    await submitNew(service.baseUrl, held);
    const sent = receiver.requestsTo(`/${SECRET}`).length;
    await eventually(async () => {
      expect((await get(`/tasks/${held.id}`))['waiting_for']).to.include({ code: 'paused' });
      expect((await destination())['paused'], 'its pause').to.not.equal(null);
      expect((await get(credentialsPath(url())))['bearer'], 'its credentials').to.not.equal(null);
    });
    expect(receiver.requestsTo(`/${SECRET}`).length, 'while the hosts were learned').to.equal(sent);
    const paths = ['/tasks', '/failures', '/counts?by=destination_key', '/counts?by=destination_key&q=data:*', '/destinations', '/audit?limit=1', '/status', '/stats', `/audit?target=${encodeURIComponent(url())}`, `/tasks?destination_key=${encodeURIComponent(new URL(url()).origin)}`];
    for (const path of paths) expect(JSON.stringify(await get(path)), path).to.not.include(`${new URL(url()).origin}/${SECRET}`);
    const { groups } = await get('/counts?by=destination_key');
    expect(groups, 'one group of the tasks from before and of those since').to.deep.equal([{ value: (await destination())['key'], count: 2 }]);
    expect(((await get(`/audit?target=${encodeURIComponent(url())}`))['entries'] as unknown[]).length, 'what was done under the open name').to.be.at.least(2);
    receiver.on(`/${SECRET}`, () => ({ kind: 'answer' }));
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(url())}/resume`, { method: 'POST' })).status).to.equal(200);
    await waitForState(service.baseUrl, held.id, 'delivered');
    expect(receiver.requestsTo(`/${SECRET}`).at(-1)?.headers['authorization']).to.equal('Bearer token-of-the-open-path');
    expect(service.log.slice(logBefore).split('\n').filter((line) => line.includes(`/${SECRET}`))).to.deep.equal([]);
  });

  it('are shown again an hour after the last process that lists the host has ended', async () => {
    service = await InProcessService.ready({ log });
    const { secretPathHosts } = flowKeys(service.prefix, false);
    const worker = await service.startWorker({ secretPathHosts: '127.0.0.1' });
    await untilHidden();
    await worker.stop(0);
    await service.redis.zincrby(secretPathHosts, 60_000 - HIDDEN_FOR_MS, '127.0.0.1');
    await service.redis.zadd(secretPathHosts, Date.now(), 'not a host', Date.now(), '1.2.3.4:80');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await destination())['key'], 'within the hour').to.match(HIDDEN);
    await service.redis.zincrby(secretPathHosts, -60_000, '127.0.0.1');
    await eventually(async () => { expect((await destination())['key']).to.equal(url()); });
  });
});
