import { expect } from 'chai';

import { metricRow, metricsOf } from '../../../../shared/telemetry/metric-rows.js';
import { Metrics } from '../../../../shared/telemetry/metrics.js';
import { ADMIN_KEY, bearer, makeKey } from '../../../support/access-keys.js';
import { startBulkAction, waitForBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';
import { createReceiver, failingFirst, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { monitorRedis } from '../../../support/redis-monitor.js';
import { Scrape, scrape } from '../../../support/scrape.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submit, submitNew, uniqueId, waitForState } from '../../../support/tasks.js';

/** A scrape shows numbers of the fleet that are at most a second old. */
const PATIENCE = { withinMs: 15_000, everyMs: 200 };

describe('metrics of the API and a worker, after known work', function () {
  this.timeout(60_000);

  let service: InProcessService;
  let receiver: Receiver;
  let ofApi: Scrape;
  let ofWorker: Scrape;
  let firstOfApi: Scrape;
  let firstOfWorker: Scrape;
  const metrics = new Metrics('worker');

  before(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/once', failingFirst(1, { kind: 'answer', status: 500 }));
    receiver.on('/never', { kind: 'answer', status: 404 });
    await service.startWorker({ metrics });
    firstOfApi = await scrape(service.baseUrl);
    firstOfWorker = new Scrape(await metrics.text());
    await work();
    ofApi = await eventually(async () => {
      const seen = await scrape(service.baseUrl);
      expect(seen.value('kafka_retry_tasks', { state: 'dead_lettered' })).to.equal(2);
      expect(seen.value('kafka_retry_tasks', { state: 'parked' })).to.equal(1);
      return seen;
    }, PATIENCE);
    ofWorker = new Scrape(await metrics.text());
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  /** 3 delivered at once, 2 with the second attempt, 2 dead letters, 1 parked, 1 redriven in vain; 1 duplicate and 1 invalid submission. */
  async function work(): Promise<void> {
    const { baseUrl } = service;
    const good = [1, 2, 3].map(() => httpTask(receiver.url('/good')));
    const slow = [1, 2].map(() => httpTask(receiver.url('/once'), { max_retries: 3 }));
    const dead = [1, 2].map(() => httpTask(receiver.url('/never'), { max_retries: 1, dead_destination: { url: receiver.url('/dead') } }));
    const parked = httpTask(receiver.url('/never'), { on_exhausted: 'park' });
    const waiting = httpTask(receiver.url('/good'), { initial_delay: 3_600 });
    for (const task of [...good, ...slow, ...dead, parked, waiting]) await submitNew(baseUrl, task);
    expect((await submit(baseUrl, waiting)).status).to.equal(200);
    expect((await submit(baseUrl, { ...waiting, source: '' })).status).to.equal(400);
    for (const { id } of [...good, ...slow]) await waitForState(baseUrl, id, 'delivered');
    for (const { id } of dead) await waitForState(baseUrl, id, 'dead_lettered');
    await waitForState(baseUrl, parked.id, 'parked');
    const bulkAction = await startBulkAction(baseUrl, { action: 'redrive', ids: [parked.id] });
    await waitForBulkAction(baseUrl, bulkAction, 'done');
    await waitForState(baseUrl, parked.id, 'parked');
    await eventually(() => expect(receiver.requestsTo('/never')).to.have.lengthOf(6));
  }

  it('counts what was submitted, once for each new run', () => {
    expect(ofApi.counted('kafka_retry_tasks_created_total')).to.deep.equal({ http: 9 });
  });

  it('counts attempts by what was decided', () => {
    expect(ofWorker.counted('kafka_retry_tasks_processed_total')).to.deep.equal({ 'delivery delivered': 5, 'delivery retry': 4, 'delivery dead_letter': 2, 'delivery park': 2, 'dead dead_lettered': 2 });
  });

  it('counts failures by why: each attempt that did not arrive, and no other', () => {
    expect(ofWorker.counted('kafka_retry_tasks_failed_total')).to.deep.equal({ 'delivery http_server_error': 2, 'delivery http_client_error': 6 });
    expect(ofWorker.sum('kafka_retry_tasks_processed_total') - ofWorker.sum('kafka_retry_tasks_failed_total')).to.equal(5 + 2);
  });

  it('counts dead letters by their reason', () => {
    expect(ofWorker.counted('kafka_retry_tasks_dead_lettered_total')).to.deep.equal({ retries_exhausted: 2 });
  });

  it('measures each attempt, and when a delivery took more than one', () => {
    expect(ofWorker.counted('kafka_retry_processing_duration_seconds_count')).to.deep.equal({ 'delivery http delivered': 5, 'delivery http retry': 4, 'delivery http dead_letter': 2, 'delivery http park': 2, 'dead http dead_lettered': 2 });
    expect(ofWorker.value('kafka_retry_lateness_seconds_count')).to.equal(15);
    expect(ofWorker.value('kafka_retry_attempts_per_delivery_count')).to.equal(5);
    expect(ofWorker.value('kafka_retry_attempts_per_delivery_sum')).to.equal(3 * 1 + 2 * 2);
    expect(ofWorker.value('kafka_retry_attempts_per_delivery_bucket', { le: '1' })).to.equal(3);
    expect(ofWorker.value('kafka_retry_attempts_per_delivery_bucket', { le: '2' })).to.equal(5);
    expect(ofWorker.value('kafka_retry_delivery_latency_seconds_count')).to.equal(5);
    // Two of them have waited 50 ms for their second attempt.
    expect(ofWorker.value('kafka_retry_delivery_latency_seconds_sum')).to.be.at.least(0.1);
  });

  it('counts the tasks of a bulk action', () => {
    expect(ofWorker.counted('kafka_retry_bulk_action_tasks_total')).to.deep.equal({ 'redrive started': 1 });
  });

  it('shows where the tasks are, the workers, and the slots of each', () => {
    expect(ofApi.counted('kafka_retry_tasks')).to.deep.equal({ waiting: 1, dead_lettered: 2, parked: 1 });
    expect(ofApi.value('kafka_retry_oldest_due_seconds')).to.equal(0);
    expect(ofApi.value('kafka_retry_workers')).to.equal(1);
    expect(ofApi.value('kafka_retry_shards_away')).to.equal(0);
    expect(ofWorker.value('kafka_retry_worker_slots')).to.equal(50);
    expect(ofWorker.value('kafka_retry_worker_slots_in_use')).to.equal(0);
  });

  it('measures requests by the route, and refusals by their code', () => {
    expect(ofApi.value('kafka_retry_http_request_duration_seconds_count', { method: 'POST', route: '/tasks', status: '201' })).to.equal(9);
    expect(ofApi.value('kafka_retry_http_request_duration_seconds_count', { method: 'POST', route: '/tasks', status: '200' })).to.equal(1);
    expect(ofApi.value('kafka_retry_http_request_duration_seconds_count', { method: 'POST', route: '/tasks', status: '400' })).to.equal(1);
    expect(ofApi.counted('kafka_retry_requests_refused_total')).to.deep.equal({ invalid_task: 1 });
  });

  it('counts the same with the same names for the whole life of the process: each of them was there before any work', () => {
    for (const [first, last, source] of [[firstOfApi, ofApi, 'api'], [firstOfWorker, ofWorker, 'worker']] as const) {
      const closed = metricsOf(source).filter((name) => metricRow(name).kind !== 'gauge' && !Object.values(metricRow(name).labels).some((values) => 'bounded' in values));
      expect(closed.length).to.be.at.least(3);
      for (const name of closed) {
        const of = ({ series }: Scrape): string[] => [...series.keys()].filter((each) => new RegExp(`^${name}(_bucket|_sum|_count)?({|$)`).test(each));
        expect(of(first), name).to.deep.equal(of(last));
        expect(of(first).length, name).to.be.at.least(1);
      }
    }
    expect(firstOfWorker.sum('kafka_retry_tasks_processed_total')).to.equal(0);
  });

  it('exports each of its rows', () => {
    for (const [seen, source] of [[ofApi, 'api'], [ofWorker, 'worker']] as const) {
      // This Redis has no limit of its memory, so there is no share of it.
      const names = metricsOf(source).filter((name) => name !== 'kafka_retry_redis_used_ratio');
      expect(names.filter((name) => ![...seen.series.keys()].some((series) => series.startsWith(name)))).to.deep.equal([]);
    }
  });

  it('holds nothing of what callers name in its routes and methods', async () => {
    for (const path of ['/tasks/secret-task', '/no-such-path/x', '/tasks/%ff', '/TASKS', '/metrics/']) await fetch(`${service.baseUrl}${path}`);
    await fetch(`${service.baseUrl}/tasks`, { method: 'PROPFIND' });
    await fetch(`${service.baseUrl}/tasks`, { method: 'PUT' });
    await eventually(async () => {
      const seen = [...(await scrape(service.baseUrl)).series.keys()].filter((series) => series.startsWith('kafka_retry_http_request_duration_seconds_count'));
      expect(seen.join('\n')).to.include('method="GET",route="other",status="404"').and.to.include('method="other",route="other",status="405"').and.to.include('method="PUT",route="other",status="405"');
      expect(seen.join('\n')).to.include('route="/tasks/:id",status="404"').and.to.not.match(/secret-task|no-such-path|PROPFIND|TASKS/);
    });
  });

  it('asks Redis once a second, however many scrape', async () => {
    let counts = 0;
    const stop = await monitorRedis((args) => {
      if (args.some((arg) => arg.includes(`${service.prefix}:`)) && args.some((arg) => arg.endsWith(':parked')) && /^eval/i.test(args[0] ?? '')) counts += 1;
    });
    const began = performance.now();
    const scrapes = await Promise.all(Array.from({ length: 60 }, () => scrape(service.baseUrl)));
    for (let more = 0; more < 20; more += 1) await scrape(service.baseUrl);
    const seconds = (performance.now() - began) / 1_000;
    await call(service.baseUrl, '/stats');
    await eventually(() => expect(counts, 'GET /stats asks as well').to.be.at.least(1));
    stop();
    expect(scrapes).to.have.lengthOf(60);
    // The API and the worker count for /history each second as well.
    expect(counts).to.be.at.most(3 * (1 + Math.ceil(seconds)));
  });
});

describe('metrics of held tasks and open circuits', function () {
  this.timeout(60_000);

  let service: InProcessService;
  let receiver: Receiver;
  before(async () => {
    service = await InProcessService.ready({ shards: 2 });
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 503 });
    receiver.on('/hang', { kind: 'hang' });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  it('are named by host and by reason, never by path', async () => {
    const metrics = new Metrics('worker');
    const host = receiver.url('').replace(/\/$/, '');
    await call(service.baseUrl, `/destinations/${encodeURIComponent(`${host}/paused`)}/pause`, { method: 'POST' });
    // A worker that runs already would hear of the pause up to 200 ms later.
    await service.startWorker({ metrics, circuit: { failuresInARow: 2, baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    for (let nth = 0; nth < 12; nth += 1) await submitNew(service.baseUrl, httpTask(receiver.url('/down'), { max_retries: 20 }));
    for (let nth = 0; nth < 3; nth += 1) await submitNew(service.baseUrl, httpTask(receiver.url('/paused?secret=hunter2')));
    await submitNew(service.baseUrl, httpTask(receiver.url('/hang')));
    await eventually(async () => {
      const seen = await scrape(service.baseUrl);
      expect(seen.value('kafka_retry_tasks_held', { reason: 'paused' })).to.equal(3);
      expect(seen.value('kafka_retry_tasks_held', { reason: 'circuit_open' })).to.be.at.least(1);
      expect(seen.value('kafka_retry_destination_circuit_open', { destination: host })).to.equal(1);
      expect(seen.value('kafka_retry_destination_circuit_open', { destination: 'other' })).to.equal(0);
      expect(seen.value('kafka_retry_oldest_due_seconds')).to.be.above(0);
      expect(seen.text).to.not.match(/hunter2|secret=|\/paused|\/down/);
      const ofWorker = new Scrape(await metrics.text());
      expect(ofWorker.value('kafka_retry_destination_in_flight', { destination: host })).to.equal(1);
      expect(ofWorker.value('kafka_retry_worker_slots_in_use')).to.equal(1);
      expect(ofWorker.text).to.not.match(/hunter2|secret=|\/hang|\/down/);
    }, PATIENCE);
  });
});

describe('GET /metrics while Redis is away', function () {
  this.timeout(60_000);

  it('still has what the process counts, and no number of the fleet', async () => {
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ redis: redis.address });
    try {
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/x', { initial_delay: 60 }));
      expect((await scrape(service.baseUrl)).counted('kafka_retry_tasks')).to.deep.equal({ waiting: 1 });
      await redis.kill();
      const seen = await eventually(async () => {
        const asked = performance.now();
        const found = await scrape(service.baseUrl);
        expect(performance.now() - asked, 'it does not wait for Redis').to.be.below(5_000);
        expect([...found.series.keys()].filter((series) => /^kafka_retry_(tasks(_held)?\{|oldest_due|workers|shards_away|redis_used|destination_circuit)/.test(series))).to.deep.equal([]);
        return found;
      }, PATIENCE);
      expect(seen.counted('kafka_retry_tasks_created_total')).to.deep.equal({ http: 1 });
    } finally {
      await service.close();
      await redis.close();
    }
  });
});

describe('access to GET /metrics', () => {
  const TOKEN = 'scrape-0123456789abcdef';
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, metricsToken: TOKEN }); });
  after(() => service.close());

  const status = async (headers: Readonly<Record<string, string>>, path = '/metrics'): Promise<number> => (await sendRaw(service.baseUrl, { method: 'GET', path, headers })).status;

  it('takes METRICS_TOKEN', async () => {
    expect(await status({ authorization: `Bearer ${TOKEN}` })).to.equal(200);
    expect(await status({ authorization: `bearer  ${TOKEN}` })).to.equal(200);
  });

  it('refuses everything that is near to it', async () => {
    const near = ['', 'Bearer', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, `Bearer ${TOKEN} x`, `Bearer ${TOKEN.toUpperCase()}`, `Basic ${TOKEN}`, TOKEN, 'Bearer undefined'];
    for (const authorization of near) expect(await status({ authorization }), authorization).to.equal(401);
    expect(await status({})).to.equal(401);
  });

  it('takes the token for nothing else', async () => {
    for (const path of ['/status', '/stats', '/tasks', '/keys', '/admin/queues', '/metrics/x']) expect(await status({ authorization: `Bearer ${TOKEN}` }, path), path).to.equal(401);
  });

  it('takes a key that may read, and no other', async () => {
    const reader = await makeKey(service.baseUrl, { role: 'read' });
    const submitter = await makeKey(service.baseUrl, { role: 'submit' });
    const bound = await makeKey(service.baseUrl, { role: 'read', client_ids: [uniqueId('client')] });
    expect(await status(bearer(reader.key))).to.equal(200);
    expect(await status(bearer(submitter.key))).to.equal(403);
    expect(await status(bearer(bound.key)), 'it would see numbers of other clients').to.equal(403);
  });
});
