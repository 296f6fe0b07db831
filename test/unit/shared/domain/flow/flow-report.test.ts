import { expect } from 'chai';

import { printReport, readReport, type FlowSample } from '../../../../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../../../../shared/domain/flow/latency-histogram.js';

function sample(changes: Partial<FlowSample> = {}, ...latencies: readonly number[]): FlowSample {
  const latency = new LatencyHistogram();
  for (const ms of latencies) latency.note(ms);
  return { key: 'tenant-7', host: 'http://host', inFlight: 2, delivered: 30, failed: 4, latency, ...changes };
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
