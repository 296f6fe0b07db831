import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';
import { parse, stringify } from 'yaml';

import { promtool } from '../support/promtool.js';
import { createReceiver } from '../support/receiver.js';
import { RecordedSeries } from '../support/recorded-series.js';
import { PrivateRedis } from '../support/redis.js';
import { scrape, type Scrape } from '../support/scrape.js';
import { Service, type ServiceProcess } from '../support/service.js';
import { httpTask, retryNow, submitNew, uniqueId } from '../support/tasks.js';

const FILE = 'deploy/prometheus/recorded.test.yaml';
const STEP_S = 15;
/** Seconds of the run. The waits of the rules are those of deploy/, so it takes as long as they do. */
const BROKEN_AT = 60;
const KILLED_AT = 450;
const MENDED_AT = 570;
const ENDS_AT = 750;
const BROKEN = ['KafkaRetryCircuitOpen', 'KafkaRetryDeadLetters', 'KafkaRetryLate', 'KafkaRetryParked'];

/** Which alerts have to fire when, of all or of some. */
const expectations: readonly (readonly [atS: number, matchers: string, firing: readonly string[]])[] = [
  [BROKEN_AT, '', []],
  [BROKEN_AT + 2 * STEP_S, '', []],
  [KILLED_AT - STEP_S, '', BROKEN],
  [KILLED_AT + 2 * STEP_S, ',alertname="KafkaRetryNoWorker"', []],
  [MENDED_AT - STEP_S, ',alertname="KafkaRetryNoWorker"', ['KafkaRetryNoWorker']],
  // Its rate looks ten minutes back.
  [ENDS_AT - STEP_S, ',alertname!="KafkaRetryDeadLetters"', []],
];

describe('e2e: the alert rules on the series of a real run', function () {
  if (process.env['RULES_RECORDING'] === 'write') {
    before(async function () {
      this.timeout((ENDS_AT + 120) * 1_000);
      writeFileSync(FILE, await record());
    });
  }

  it('fire when they are to, and are silent when all is well', () => {
    expect(promtool(['test', 'rules', FILE])).to.include('SUCCESS');
    const { tests: [test] } = parse(readFileSync(FILE, 'utf8')) as { tests: [{ input_series: readonly { series: string }[]; promql_expr_test: readonly { eval_time: string }[] }] };
    expect(test.promql_expr_test.map(({ eval_time: at }) => at), 'npm run rules:record').to.deep.equal(expectations.map(([at]) => `${at}s`));
    expect(test.input_series.length).to.be.at.least(30);
  });
});

/** @returns the text of the file */
async function record(): Promise<string> {
  const names = [...new Set(readFileSync(path.join('deploy/prometheus/rules.yaml'), 'utf8').match(/kafka_retry_[a-z_]+(?=[{[) ])/g))];
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const redis = await PrivateRedis.start(['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction', '--hz', '100']);
    closing.push(() => redis.close());
    const receiver = await createReceiver();
    closing.push(() => receiver.close());
    const service = await Service.start({ workers: 0, redis: redis.address });
    closing.push(() => service.close());
    const workers = new Map<string, { readonly process: ServiceProcess; readonly url: string }>();
    const startWorker = async (): Promise<void> => {
      const process = await service.startWorker({ WORKER_HTTP_PORT: '0' });
      const [, port = ''] = await process.hasWritten(/worker is up.*http_port=(\d+)/);
      workers.set(`worker-${workers.size + 1}`, { process, url: `http://127.0.0.1:${port}` });
    };
    const submit = async (times: number, of: string, changes: Parameters<typeof httpTask>[1] = {}): Promise<void> => {
      for (let nth = 0; nth < times; nth += 1) await submitNew(service.baseUrl, httpTask(receiver.url(of), { dead_destination: { url: receiver.url('/dead') }, ...changes }));
    };
    receiver.on('/bad', { kind: 'answer', status: 400 });
    receiver.on('/down', { kind: 'answer', status: 503 });
    const parked = uniqueId('parked');
    await startWorker();
    const series = new RecordedSeries(names);
    const begun = performance.now();
    for (let atS = 0; atS <= ENDS_AT; atS += STEP_S) {
      await wait(Math.max(0, begun + atS * 1_000 - performance.now()));
      const asked = [['api', service.baseUrl] as const, ...[...workers].map(([name, { url }]) => [name, url] as const)];
      series.take(new Map(await Promise.all(asked.map(async ([name, url]): Promise<[string, Scrape | undefined]> => [name, await scrape(url).catch(() => undefined)]))));
      await submit(30, '/ok');
      if (atS >= BROKEN_AT && atS < MENDED_AT) await submit(8, '/bad');
      if (atS === BROKEN_AT) {
        await submit(1, '/bad', { id: parked, on_exhausted: 'park' });
        await submit(40, '/down', { max_retries: 100, base_delay: 1 });
      }
      if (atS === KILLED_AT) await workers.get('worker-1')?.process.kill();
      if (atS === MENDED_AT) {
        receiver.on('/down', { kind: 'answer', status: 200 });
        receiver.on('/bad', { kind: 'answer', status: 200 });
        await startWorker();
        await retryNow(service.baseUrl, parked);
      }
    }
    const test = {
      name: `a worker and its receivers break: broken at ${BROKEN_AT} s, the worker killed at ${KILLED_AT} s, all mended at ${MENDED_AT} s`,
      interval: `${STEP_S}s`,
      input_series: series.inputs,
      promql_expr_test: expectations.map(([atS, matchers, firing]) => ({ expr: `count by (alertname) (ALERTS{alertstate="firing"${matchers}})`, eval_time: `${atS}s`, exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })) })),
    };
    const head = '# Made by `npm run rules:record`: what an API and its workers told Prometheus in a real run, and which alerts have to fire when. Do not edit.\n';
    return head + stringify({ rule_files: ['rules.yaml'], evaluation_interval: `${STEP_S}s`, tests: [test] }, { lineWidth: 0 });
  } finally {
    for (const close of closing.reverse()) await close().catch(() => undefined);
  }
}
