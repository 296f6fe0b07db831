import { expect } from 'chai';

import { flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import type { FlowSample } from '../../../../shared/domain/flow/flow-report.js';
import { FlowStats } from '../../../../workers/flow-control/flow-stats.js';

function stats(): { stats: FlowStats; pass: (ms: number) => void } {
  let now = 1_000;
  return { stats: new FlowStats(() => now), pass: (ms) => { now += ms; } };
}

const flow = (key: string, host = 'g'): Flow => flowNamed(key, host);

describe('FlowStats', () => {
  it('counts what is in flight, how it ended, and how long it took', () => {
    const { stats: seen } = stats();
    const rows = [1, 2, 3, 4].map(() => seen.started(flow('a')));
    seen.ended(rows[0] ?? seen.started(flow('a')), 'delivered', 20);
    seen.ended(rows[1] ?? seen.started(flow('a')), 'failed', 900);
    seen.ended(rows[2] ?? seen.started(flow('a')), undefined, 900);
    const [sample] = seen.sample();
    expect(sample).to.include({ key: 'a', host: 'g', inFlight: 1, delivered: 1, failed: 1 });
    expect([sample?.latency.percentile(0.5), (sample?.latency.percentile(1) ?? 0) >= 900]).to.deep.equal([23, true]);
  });

  it('counts the first send of an endpoint for its host until a second one comes, then for the endpoint', () => {
    const counts = (seen: FlowStats): unknown[] => seen.sample().map(({ key, delivered, failed, latency }) => [key, delivered, failed, latency.percentile(0.5)]).sort();
    const [others, endpoint] = [flow('g'), flow('g/x')];
    const { stats: seen } = stats();
    seen.ended(seen.started(others), 'delivered', 20, endpoint);
    seen.ended(seen.started(others), 'delivered', 900, flow('g/alone'));
    expect(counts(seen)).to.deep.equal([['g', 2, 0, 23]]);
    seen.ended(seen.started(endpoint), 'failed', 20, endpoint);
    expect(counts(seen)).to.deep.equal([['g', 1, 0, 1024], ['g/x', 1, 1, 23]]);
    const { stats: late } = stats();
    const first = late.started(others);
    const second = late.started(endpoint);
    late.ended(first, 'delivered', 20, endpoint);
    late.ended(second, 'delivered', 20, endpoint);
    expect(counts(late), 'the first ends after the second has begun').to.deep.include(['g/x', 2, 0, 23]);
  });

  it('counts a flow_key for each host that it goes to', () => {
    const { stats: seen } = stats();
    const [one, other] = [flowNamed('tenant-7', 'http://one'), flowNamed('tenant-7', 'http://other')];
    for (const flow of [one, other, other]) seen.started(flow);
    expect(seen.sample().map(({ key, host, inFlight }) => [key, host, inFlight])).to.deep.equal([['tenant-7', 'http://one', 1], ['tenant-7', 'http://other', 2]]);
  });

  it('forgets results after a minute, and a destination without any', () => {
    const { stats: seen, pass } = stats();
    seen.ended(seen.started(flow('a')), 'delivered', 20);
    pass(29_999);
    expect(seen.sample()).to.have.lengthOf(1);
    pass(29_999);
    expect(seen.sample()[0], 'in the span before').to.include({ delivered: 1 });
    pass(30_001);
    expect(seen.sample()).to.deep.equal([]);
  });

  it('keeps a destination whose send takes longer than that', () => {
    const { stats: seen, pass } = stats();
    seen.started(flow('a'));
    pass(300_000);
    expect(seen.sample()[0]).to.include({ inFlight: 1, delivered: 0 });
  });

  it('reports each host with all that was sent there, however many endpoints have a row of their own; the busiest keep theirs', () => {
    const { stats: seen, pass } = stats();
    const hosts = Array.from({ length: 40 }, (_, nth) => `https://host-${nth}`);
    for (const host of hosts) for (let nth = 0; nth < 5; nth += 1) seen.ended(seen.started(flowNamed(`${host}/hot`, host)), 'failed', 300);
    pass(31_000);
    for (let nth = 0; nth < 200; nth += 1) for (const host of hosts) seen.ended(seen.started(flowNamed(`${host}/${nth}`, host)), 'delivered', 20);
    const inFlight = seen.started(flowNamed(`${hosts[0]}/0`, hosts[0] ?? ''));
    const samples = seen.sample();
    for (const host of hosts) {
      const ofHost = samples.filter((each) => each.host === host);
      const sum = (of: (each: FlowSample) => number): number => ofHost.reduce((all, each) => all + of(each), 0);
      expect([sum((each) => each.delivered), sum((each) => each.failed), sum((each) => each.latency.counts.reduce((all, count) => all + count, 0))], host).to.deep.equal([200, 5, 205]);
      expect(ofHost.find(({ key }) => key === `${host}/hot`), host).to.include({ failed: 5 });
    }
    expect(samples.length).to.be.within(4_000, 5_040);
    seen.ended(inFlight, 'delivered', 5);
  });

  it('counts for everything what hosts beyond 5,000 are sent', () => {
    const { stats: seen } = stats();
    for (let nth = 0; nth < 6_000; nth += 1) for (let send = 0; send < (nth < 100 ? 3 : 1); send += 1) seen.ended(seen.started(flow(`https://host-${nth}`, `https://host-${nth}`)), 'delivered', 5);
    const samples = seen.sample();
    expect(samples.reduce((sum, { delivered }) => sum + delivered, 0)).to.equal(6_200);
    expect(samples.filter(({ delivered }) => delivered === 3), 'the busiest keep their rows').to.have.lengthOf(100);
    expect(samples.find(({ key }) => key === '*')).to.include({ host: '*', inFlight: 0 });
  });

  it('stays bounded, whatever number of names it sees, and never loses one in flight', () => {
    const { stats: seen } = stats();
    const lasting = seen.started(flow('lasting'));
    for (let nth = 0; nth < 200_000; nth += 1) seen.ended(seen.started(flow(`https://host-${nth}.example.com/x`, `https://host-${nth}.example.com`)), 'delivered', 5);
    expect(seen.remembered).to.be.at.most(10_000);
    expect(seen.sample()[0]).to.include({ key: 'lasting', inFlight: 1 });
    expect(seen.sample().reduce((sum, { delivered }) => sum + delivered, 0)).to.equal(200_000);
    seen.ended(lasting, 'delivered', 5);
    expect(seen.sample().find(({ key }) => key === 'lasting')).to.include({ inFlight: 0, delivered: 1 });
  }).timeout(30_000);
});
