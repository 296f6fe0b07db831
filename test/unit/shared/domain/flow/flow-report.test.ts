import { expect } from 'chai';

import { printReport, readReport, readReportHead, type FlowSample } from '../../../../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../../../../shared/domain/flow/latency-histogram.js';
import type { WorkerFacts } from '../../../../../shared/domain/flow/worker-facts.js';

function sample(changes: Partial<FlowSample> = {}, ...latencies: readonly number[]): FlowSample {
  const latency = new LatencyHistogram();
  for (const ms of latencies) latency.note(ms);
  return { key: 'tenant-7', host: 'http://host', inFlight: 2, delivered: 30, failed: 4, latency, ...changes };
}

const facts: WorkerFacts = { VERSION: '0.2.0', KAFKA_BROKERS: 'a:9092,b:9092', FLOW_CIRCUIT: 'off' };
const nothing = { facts: undefined, rebuilds: 0, slots: undefined, samples: [] };
const slots = { total: 1_000, inUse: 17 };

/** The reader of version 0.1.0, as far as it matters here. */
function readAsOldVersion(report: string): unknown[] {
  return (JSON.parse(report) as unknown[]).filter((row) => Array.isArray(row) && Array.isArray(row[5]));
}

describe('a report', () => {
  it('is read as it was printed, with the facts of the worker and without', () => {
    const samples = [sample({}, 1, 20, 20, 70_000), sample({ key: 'http://"odd"', inFlight: 0 })];
    for (const report of [{ facts, rebuilds: 2, slots, samples }, { facts: undefined, rebuilds: 0, slots: undefined, samples }, { facts, rebuilds: 0, slots: undefined, samples: [] }]) {
      expect(readReport(printReport(report))).to.deep.equal(report);
      expect({ ...readReportHead(printReport(report)), samples }).to.deep.equal({ ...report, samples });
    }
  });

  it('of another version is nothing', () => {
    for (const odd of ['null', '{}', '7', '[7]', '[[]]', '[["a"]]', '[null]', '[["a","a",1,1,1,7]]', '[{}]', '[{"facts":7}]', '[{"facts":[]}]']) expect([readReport(odd), { ...readReportHead(odd), samples: [] }], odd).to.deep.equal([nothing, nothing]);
  });

  it('holds facts that an older API takes for no row, and skips', () => {
    const samples = [sample({}, 20), sample({ key: 'other' }, 20)];
    expect(readAsOldVersion(printReport({ facts, rebuilds: 1, slots, samples }))).to.deep.equal(readAsOldVersion(printReport({ facts: undefined, rebuilds: 0, slots: undefined, samples }))).and.to.have.lengthOf(2);
  });

  it('of an older version counts no rebuilds', () => {
    expect(readReport('[{"facts":{"VERSION":"0.1.0"}}]').rebuilds).to.equal(0);
    expect(readReport('[{"facts":{},"rebuilds":"many"}]').rebuilds).to.equal(0);
  });

  it('of an older version, or with slots that are none, says nothing of slots', () => {
    for (const odd of ['', ',"slots":7', ',"slots":[]', ',"slots":["1","2"]', ',"slots":{"total":1}']) expect(readReport(`[{"facts":{}${odd}}]`).slots, odd).to.equal(undefined);
  });

  it('of a newer version is read as far as this one knows its facts', () => {
    expect(readReport('[{"facts":{"VERSION":"9.0.0","NEW_RULE":"on","FLOW_CIRCUIT":7}}]').facts).to.deep.equal({ VERSION: '9.0.0' });
  });

  it('stays short: an entry per bucket that was met', () => {
    expect(printReport({ facts: undefined, rebuilds: 0, slots: undefined, samples: [sample({}, ...Array.from({ length: 1_000 }, () => 20))] }).length).to.be.below(80);
  });
});
