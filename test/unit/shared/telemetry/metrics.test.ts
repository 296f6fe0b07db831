import { expect } from 'chai';

import { metricRow, metricRows, metricsOf, type MetricName } from '../../../../shared/telemetry/metric-rows.js';
import { Metrics } from '../../../../shared/telemetry/metrics.js';
import { createTokenCheck } from '../../../../shared/telemetry/metrics-token.js';
import { Scrape } from '../../../support/scrape.js';

describe('Metrics', () => {
  it('begins with all series of closed labels, at 0', async () => {
    const seen = new Scrape(await new Metrics('worker').text());
    expect(seen.value('kafka_retry_tasks_failed_total', { phase: 'dead', error_code: 'host_not_found' })).to.equal(0);
    expect(seen.value('kafka_retry_processing_duration_seconds_bucket', { phase: 'delivery', destination_type: 'kafka', outcome: 'retry', le: '+Inf' })).to.equal(0);
    expect(seen.value('kafka_retry_tasks_stalled_total')).to.equal(0);
    expect(seen.counted('kafka_retry_tasks_processed_total')).to.deep.equal({});
  });

  it('puts a value that is a bound into the bucket of that bound, and counts each bucket with those below', async () => {
    const metrics = new Metrics('worker');
    const lateness = metrics.histogram('kafka_retry_lateness_seconds', {});
    for (const seconds of [0, 0.005, 0.0051, 1, 3_600, 3_601]) lateness.observe(seconds);
    const seen = new Scrape(await metrics.text());
    const bucket = (le: string): number => seen.value('kafka_retry_lateness_seconds_bucket', { le });
    expect([bucket('0.005'), bucket('0.01'), bucket('0.5'), bucket('1'), bucket('900'), bucket('3600'), bucket('+Inf')]).to.deep.equal([2, 3, 3, 4, 4, 5, 6]);
    expect(seen.value('kafka_retry_lateness_seconds_count')).to.equal(6);
    expect(seen.value('kafka_retry_lateness_seconds_sum')).to.be.closeTo(7_202.0101, 1e-6);
  });

  it('gives the same series for the same labels, in whatever order they stand', async () => {
    const metrics = new Metrics('worker');
    metrics.counter('kafka_retry_tasks_processed_total', { phase: 'dead', outcome: 'retry' }).value += 1;
    metrics.counter('kafka_retry_tasks_processed_total', { outcome: 'retry', phase: 'dead' }).value += 1;
    expect(new Scrape(await metrics.text()).counted('kafka_retry_tasks_processed_total')).to.deep.equal({ 'dead retry': 2 });
  });

  it('forgets the series of a gauge that is set anew', async () => {
    const metrics = new Metrics('worker');
    metrics.setGauge('kafka_retry_destination_in_flight', [[{ destination: 'https://a' }, 1], [{ destination: 'other' }, 0]]);
    metrics.setGauge('kafka_retry_destination_in_flight', [[{ destination: 'https://b' }, 2], [{ destination: 'other' }, 0]]);
    expect(new Scrape(await metrics.text()).counted('kafka_retry_destination_in_flight')).to.deep.equal({ 'https://b': 2 });
  });

  it('escapes what a label holds, so that a name cannot write a line of its own', async () => {
    const metrics = new Metrics('worker');
    metrics.setGauge('kafka_retry_destination_in_flight', [[{ destination: 'https://a"} 9\nkafka_retry_worker_slots 7\\' }, 1]]);
    const text = await metrics.text();
    expect(text).to.include('kafka_retry_destination_in_flight{destination="https://a\\"} 9\\nkafka_retry_worker_slots 7\\\\"} 1\n');
  });

  it('asks before each scrape for what is set then', async () => {
    const metrics = new Metrics('worker');
    let slots = 0;
    metrics.onScrape(async () => metrics.setGauge('kafka_retry_worker_slots', [[{}, (slots += 1)]]));
    await metrics.text();
    expect(new Scrape(await metrics.text()).value('kafka_retry_worker_slots')).to.equal(2);
  });

  it('adds what Node measures of the process', async () => {
    const metrics = new Metrics('api');
    metrics.addProcess();
    const { series } = new Scrape(await metrics.text());
    expect([...series.keys()]).to.include.members(['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']);
  });
});

describe('the table of metrics', () => {
  const rows = (Object.keys(metricRows) as MetricName[]).map((name) => ({ name, ...metricRow(name) }));

  it('begins with the names that were promised first', () => {
    expect(rows.slice(0, 5).map(({ name }) => name)).to.deep.equal([
      'kafka_retry_tasks_created_total',
      'kafka_retry_tasks_processed_total',
      'kafka_retry_tasks_failed_total',
      'kafka_retry_tasks_dead_lettered_total',
      'kafka_retry_processing_duration_seconds',
    ]);
  });

  it('has the numbers of the fleet from the API alone', () => {
    const ofFleet = rows.filter(({ isOfFleet }) => isOfFleet === true);
    expect(ofFleet.length).to.be.at.least(5);
    for (const { name, from, kind } of ofFleet) expect([from, kind], name).to.deep.equal([['api'], 'gauge']);
  });

  it('keeps each process below 2,000 series, those of requests aside', async () => {
    for (const source of ['api', 'worker'] as const) {
      expect(metricsOf(source).length).to.be.at.least(5);
      expect(new Scrape(await new Metrics(source).text()).series.size, source).to.be.below(2_000);
    }
  });
});

describe('createTokenCheck', () => {
  const table = [
    ['abcdefghijklmnop', 'abcdefghijklmnop', true],
    ['abcdefghijklmnop', 'abcdefghijklmno', false],
    ['abcdefghijklmnop', '', false],
    [undefined, '', false],
    [undefined, 'undefined', false],
  ] as const;
  for (const [token, text, fits] of table) {
    it(`${JSON.stringify(text)} ${fits ? 'is' : 'is not'} the token ${JSON.stringify(token)}`, () => {
      expect(createTokenCheck(token)(text)).to.equal(fits);
    });
  }
});
