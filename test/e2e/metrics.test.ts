import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { promtool } from '../support/promtool.js';
import { sendRaw } from '../support/raw-request.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { scrape, type Scrape } from '../support/scrape.js';
import { Service, type ServiceProcess } from '../support/service.js';
import { httpTask, submitNew } from '../support/tasks.js';

/** A worker with a port of its own, and its address. */
interface ShownWorker {
  readonly worker: ServiceProcess;
  readonly url: string;
}

const DELIVERED = 'kafka_retry_tasks_processed_total{phase="delivery",outcome="delivered"}';
const STEP_MS = 250;

describe('e2e: metrics', function () {
  this.timeout(120_000);

  let receiver: Receiver;
  let service: Service;

  before(async () => {
    receiver = await createReceiver();
    service = await Service.start({ workers: 0, settings: { LOCK_DURATION: '2s', STALL_CHECK_INTERVAL: '200ms', STALL_BASE_DELAY: '10ms', STALL_MAX_DELAY: '50ms' } });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  async function startShown(): Promise<ShownWorker> {
    const worker = await service.startWorker({ WORKER_HTTP_PORT: '0', WORKER_CONCURRENCY: '5' });
    const [, port = ''] = await worker.hasWritten(/worker is up.*http_port=(\d+)/);
    return { worker, url: `http://127.0.0.1:${port}` };
  }

  it('are named and written as Prometheus wants them, by each process', async () => {
    const { worker, url } = await startShown();
    await submitNew(service.baseUrl, httpTask(receiver.url('/named')));
    await receiver.waitForRequests(1, { path: '/named' });
    for (const at of [service.baseUrl, url]) expect(promtool(['check', 'metrics'], (await scrape(at)).text), at).to.equal('');
    const statuses = await Promise.all(['127.0.0.1:1', 'localhost', 'worker:9464', 'rebinds.example'].map(async (host) => (await sendRaw(url, { path: '/metrics', headers: { host } })).status));
    expect(statuses, 'a page that gives its own name this address reads nothing').to.deep.equal([200, 200, 200, 421]);
    expect(() => promtool(['check', 'metrics'], '# TYPE bad_name counter\nbad_name 1\n'), 'promtool does look').to.throw(/_total/);
    expect(await worker.stop()).to.equal(0);
  });

  it('have alert rules that Prometheus takes, and that fire when they are to', () => {
    expect(promtool(['check', 'rules', 'deploy/prometheus/rules.yaml'])).to.include('SUCCESS: 10 rules found');
    expect(promtool(['check', 'config', 'deploy/prometheus/compose.yaml'])).to.include('SUCCESS');
    expect(promtool(['test', 'rules', 'deploy/prometheus/rules.test.yaml'])).to.include('SUCCESS');
  });

  it('have a dashboard that shows the installation that is chosen, and nothing of another, in Kubernetes and without', () => {
    const { panels } = JSON.parse(readFileSync('deploy/grafana/dashboard.json', 'utf8')) as { panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[] };
    const shown = (namespace: string, installation: string) => (expr: string): string => expr.replaceAll('$namespace', namespace).replaceAll('$installation', installation).replaceAll('$__rate_interval', '5m');
    const exprs = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const names = new Set(exprs.flatMap((expr) => expr.match(/\b(?:kafka_retry|process|nodejs)_[a-z0-9_]+/g) ?? []));
    const labels = { state: ['due', 'parked'], le: ['1', '+Inf'] };
    const series = (of: string): object[] => [...names].flatMap((name) => (name === 'kafka_retry_tasks' ? labels.state.map((state) => `state="${state}",`) : name.endsWith('_bucket') ? labels.le.map((le) => `le="${le}",`) : ['']).map((more) => ({ series: `${name}{${more}${of}job="j",instance="i"}`, values: '0+1x60' })));
    const installations = [['prod', 'kafka-retry'], ['', 'prod'], ['', '']] as const;
    expectOfRules({
      evaluation_interval: '30s',
      tests: installations.map(([namespace, installation]) => ({
        interval: '30s',
        input_series: series(`${namespace === '' ? '' : `namespace="${namespace}",`}${installation === '' ? '' : `installation="${installation}",`}`),
        promql_expr_test: exprs.flatMap((expr) => [
          { expr: `count(${shown(namespace, installation)(expr)}) >= bool 1`, eval_time: '20m', exp_samples: [{ labels: '{}', value: 1 }] },
          ...[['staging', installation], [namespace, 'staging']].map(([other = '', name = '']) => ({ expr: shown(other, name)(expr), eval_time: '20m', exp_samples: [] })),
        ]),
      })),
    });
  });

  it('go on while a worker drains, and say that it is not ready', async () => {
    const { worker, url } = await startShown();
    let answer: () => void = () => undefined;
    receiver.on('/held', { kind: 'answer', after: new Promise<void>((resolve) => { answer = resolve; }) });
    await submitNew(service.baseUrl, httpTask(receiver.url('/held')));
    await receiver.waitForRequests(1, { path: '/held' });
    expect((await fetch(`${url}/readyz`)).status).to.equal(200);
    const ended = worker.stop();
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).to.equal(503));
    expect((await fetch(`${url}/livez`)).status).to.equal(200);
    expect((await scrape(url)).sum('kafka_retry_destination_in_flight')).to.equal(1);
    answer();
    expect(await ended).to.equal(0);
  });

  it('are the same numbers of the fleet at each API, so that a sum would be wrong', async () => {
    const first = service.baseUrl;
    await service.startServer();
    const second = service.baseUrl;
    await submitNew(second, httpTask(receiver.url('/x'), { initial_delay: 3_600 }));
    await eventually(async () => {
      for (const at of [first, second]) expect((await scrape(at)).value('kafka_retry_tasks', { state: 'waiting' }), at).to.equal(1);
    }, { withinMs: 15_000 });
    const created = [await scrape(first), await scrape(second)].map((seen) => seen.sum('kafka_retry_tasks_created_total'));
    expect(created, 'what each process counts can be summed').to.deep.equal([2, 1]);
  });

  it('lose nothing but what a worker has done since its last scrape, when it is killed', async () => {
    const [killed, survivor] = await Promise.all([startShown(), startShown()]);
    receiver.on('/work', { kind: 'answer', delayMs: 10 });
    const requestsBefore = receiver.requestsTo('/work').length;
    const scrapes: { readonly killed: Scrape[]; readonly survivor: Scrape[] } = { killed: [], survivor: [] };
    let requestsAtLastScrape = 0;
    let isKilled = false;
    let submitted = 0;
    const seen = async (): Promise<void> => {
      scrapes.survivor.push(await scrape(survivor.url));
      if (isKilled) return;
      // What comes from now on may be missing in the scrape.
      const requests = receiver.requestsTo('/work').length;
      scrapes.killed.push(await scrape(killed.url));
      requestsAtLastScrape = requests;
    };
    await seen();
    const submitSome = async (): Promise<void> => {
      await Promise.all(Array.from({ length: 40 }, () => submitNew(service.baseUrl, httpTask(receiver.url('/work'), { max_retries: 5 }))));
      submitted += 40;
    };
    for (let step = 0; step < 6; step += 1) {
      await Promise.all([submitSome(), eventually(seen), new Promise((resolve) => setTimeout(resolve, STEP_MS))]);
    }
    expect(scrapes.killed.at(-1)?.series.get(DELIVERED), 'both have work').to.be.above(0);
    await submitSome();
    await killed.worker.kill();
    isKilled = true;
    const unseen = receiver.requestsTo('/work').length - requestsAtLastScrape;
    await submitSome();
    await eventually(async () => expect((await scrape(service.baseUrl)).counted('kafka_retry_tasks')).to.deep.equal({ waiting: 1 }), { withinMs: 30_000, everyMs: STEP_MS });
    await seen();

    const arrived = receiver.requestsTo('/work').length - requestsBefore;
    expect(arrived).to.be.at.least(submitted);
    const values = (of: readonly Scrape[]): number[] => of.map(({ series }) => series.get(DELIVERED) ?? Number.NaN);
    const increase = (of: readonly Scrape[]): number => (values(of).at(-1) ?? Number.NaN) - (values(of)[0] ?? Number.NaN);
    const counted = increase(scrapes.killed) + increase(scrapes.survivor);
    expect(arrived - counted).to.be.within(0, unseen);
    expect(scrapes.survivor.at(-1)?.value('kafka_retry_tasks_stalled_total')).to.be.at.most(5);
    expectOfPrometheus({ killed: values(scrapes.killed), survivor: values(scrapes.survivor) }, arrived, unseen);
    expect(await survivor.worker.stop()).to.equal(0);
  });
});

/** The same by the real rate(), over the series as they were scraped; the series of the killed worker ends. */
function expectOfPrometheus({ killed, survivor }: { readonly killed: readonly number[]; readonly survivor: readonly number[] }, arrived: number, unseen: number): void {
  const seconds = survivor.length - 1;
  // Where a series ends in the span, rate() goes on for half a step at its mean speed.
  const extrapolated = Math.max(...killed) / (2 * (killed.length - 1));
  const rates = `sum(rate(kafka_retry_tasks_processed_total[${seconds}s])) * ${seconds}`;
  expectOfRules({
    evaluation_interval: '1s',
    tests: [
      {
        interval: '1s',
        input_series: [
          { series: 'kafka_retry_tasks_processed_total{instance="killed"}', values: [...killed, 'stale'].join(' ') },
          { series: 'kafka_retry_tasks_processed_total{instance="survivor"}', values: survivor.join(' ') },
        ],
        promql_expr_test: [
          { expr: `(${rates}) >= bool ${arrived - unseen - 0.001}`, eval_time: `${seconds}s`, exp_samples: [{ labels: '{}', value: 1 }] },
          { expr: `(${rates}) <= bool ${arrived + extrapolated + 0.001}`, eval_time: `${seconds}s`, exp_samples: [{ labels: '{}', value: 1 }] },
        ],
      },
    ],
  });
}

/** Judges a test of rules or expressions with promtool. */
function expectOfRules(test: object): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'kafka-retry-promtool-'));
  const file = path.join(folder, 'rules.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(test));
  try {
    expect(promtool(['test', 'rules', file])).to.include('SUCCESS');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
