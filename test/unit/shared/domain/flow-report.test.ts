import { expect } from 'chai';

import { mergeSamples, printReport, readReport, type FlowSample } from '../../../../shared/domain/flow-report.js';
import { LatencyHistogram } from '../../../../shared/domain/latency-histogram.js';

function sample(changes: Partial<FlowSample> = {}, ...latencies: readonly number[]): FlowSample {
  const latency = new LatencyHistogram();
  for (const ms of latencies) latency.note(ms);
  return { key: 'tenant-7', group: 'http://host', inFlight: 2, delivered: 30, failed: 4, latency, ...changes };
}

describe('a report', () => {
  it('is read as it was printed', () => {
    const samples = [sample({}, 1, 20, 20, 70_000), sample({ key: 'http://"odd"', inFlight: 0 })];
    expect(readReport(printReport(samples))).to.deep.equal(samples);
  });

  it('of another version is nothing', () => {
    for (const odd of ['null', '{}', '7', '[7]', '[[]]', '[["a"]]', '[null]', '[["a","a",1,1,1,7]]']) expect(readReport(odd), odd).to.deep.equal([]);
  });

  it('stays short: an entry per bucket that was met', () => {
    expect(printReport([sample({}, ...Array.from({ length: 1_000 }, () => 20))]).length).to.be.below(80);
  });
});

describe('mergeSamples', () => {
  it('adds what several workers saw of one key, and leaves the samples as they were', () => {
    const [a, b, other] = [sample({}, 10), sample({ inFlight: 1, delivered: 5, failed: 0 }, 3_000), sample({ key: 'other' })];
    const merged = mergeSamples([a, b, other]);
    expect(merged.map(({ key, inFlight, delivered, failed }) => [key, inFlight, delivered, failed])).to.deep.equal([['tenant-7', 3, 35, 4], ['other', 2, 30, 4]]);
    expect([merged[0]?.latency.percentile(0.5), merged[0]?.latency.percentile(1)].map((ms) => (ms ?? 0) > 100)).to.deep.equal([false, true]);
    expect(a.latency.percentile(1)).to.be.below(100);
  });
});
