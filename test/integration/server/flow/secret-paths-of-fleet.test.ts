import { expect } from 'chai';

import { serviceActor } from '../../../../shared/domain/actor.js';
import { createPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { HIDDEN_FOR_MS } from '../../../../shared/queue/flow/secret-path-scripts.js';
import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { credentialsPath, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

const SECRET = 'T1secret';
const HIDDEN = /\/\*[0-9a-f]{32}$/;

let receiver: Receiver;
/** Each test starts its own. */
let service: InProcessService;

function forEachTest(): void {
  beforeEach(async () => { receiver = await createReceiver(); });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });
}

/** One process lists a host in SECRET_PATH_HOSTS, and another one does not. */
describe('the secret paths of a fleet', () => {
  const log = new CollectedLog();
  forEachTest();

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
    // From a time when the host was listed before. What is set under the open path is later.
    const hidden = new URL(url()).origin + createPathMask(['127.0.0.1'])('127.0.0.1', `/${SECRET}`);
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(hidden)}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ rate: 50 }) })).status).to.equal(200);
    await setCredentials(service.baseUrl, hidden, { bearer: { token: 'token-of-an-earlier-time' } });
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
      expect((await destination())['limits'], 'the limits from before').to.include({ rate: 50 });
    });
    expect(receiver.requestsTo(`/${SECRET}`).length, 'while the hosts were learned').to.equal(sent);
    const paths = ['/tasks', '/failures', '/counts?by=destination_key', '/counts?by=destination_key&q=-data.none:1', '/destinations', '/audit?limit=1', '/status', '/stats', `/audit?target=${encodeURIComponent(url())}`, `/tasks?destination_key=${encodeURIComponent(new URL(url()).origin)}`];
    for (const path of paths) expect(JSON.stringify(await get(path)), path).to.not.include(`${new URL(url()).origin}/${SECRET}`);
    expect((await get('/counts?q=-data.none:1'))['count']).to.equal(2);
    const { groups } = await get('/counts?by=destination_key');
    // By the name that is shown, and not by what it is not.
    const shownName = String((await destination())['key']);
    const ids = async (query: string): Promise<readonly unknown[]> => ((await get(`/tasks?${query}`))['tasks'] as readonly { readonly id: string }[]).map(({ id }) => id).sort();
    const both = [failing.id, held.id].sort();
    expect(await ids(`destination_key=${encodeURIComponent(`"${shownName}"`)}`), 'found by the hidden name').to.deep.equal(both);
    expect(await ids(`destination_key=${encodeURIComponent(url())}`), 'found by the open name').to.deep.equal(both);
    expect(await ids(`q=${encodeURIComponent(`-destination_key:"${shownName}"`)}`), 'all others').to.deep.equal([]);
    expect(await ids(`q=${encodeURIComponent(`destination_key:${new URL(url()).origin}/T1*`)}`), 'by the beginning of a secret').to.deep.equal([]);
    expect((await get(`/counts?destination_key=${encodeURIComponent(`"${shownName}"`)}`))['count']).to.equal(2);
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

describe('names that an earlier version has stored under another spelling', () => {
  forEachTest();

  it('hold for the tasks that bear them, go to the spelling of now, and can be resumed there', async () => {
    service = await InProcessService.ready();
    const [cluster, topic] = ['kafka://x:9092', 'kafka://y:9092/orders'];
    const stored = [`${cluster}/`, 'kafka://y:09092/orders'] as const;
    await service.queue.fleet.withFlow((store) => store.pause(stored[0], { until: undefined, by: serviceActor, reason: 'repair' }));
    await service.queue.fleet.withFlow((store) => store.setLimits(stored[1], { ratePerSecond: 5 }));
    // Names are moved when an API starts, and when a process hides other paths.
    await service.startWorker({ secretPathHosts: 'hooks.example' });
    const held = httpTask(receiver.url('/x'), { flow_key: stored[0] });
    await submitNew(service.baseUrl, held);

    const destination = async (name: string): Promise<Readonly<Record<string, unknown>>> => (await call(service.baseUrl, `/destinations/${encodeURIComponent(name)}`)).body;
    await eventually(async () => {
      expect(await destination(cluster)).to.have.nested.property('paused.key', cluster);
      expect(await destination(topic)).to.include({ limited_by: topic });
      expect((await call(service.baseUrl, `/tasks/${held.id}`)).body['waiting_for']).to.include({ code: 'paused' });
    });
    expect([...(await service.queue.fleet.withFlow((store) => store.snapshotOfAll())).policies.keys()].sort()).to.deep.equal([cluster, topic]);
    expect(receiver.requestsTo('/x').length, 'while it was moved').to.equal(0);
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(stored[0])}/resume`, { method: 'POST' })).status).to.equal(200);
    await waitForState(service.baseUrl, held.id, 'delivered');
  });
});
