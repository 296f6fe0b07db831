import { expect } from 'chai';

import { flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import { FlowStats } from '../../../../workers/flow-control/flow-stats.js';

function stats(): { stats: FlowStats; pass: (ms: number) => void } {
  let now = 1_000;
  return { stats: new FlowStats(() => now), pass: (ms) => { now += ms; } };
}

const flow = (key: string): Flow => flowNamed(key, 'g');

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
    expect(seen.sample().map(({ key, host, inFlight }) => [key, host, inFlight])).to.deep.equal([['tenant-7', 'http://other', 2], ['tenant-7', 'http://one', 1]]);
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

  it('reports the hottest 200', () => {
    const { stats: seen } = stats();
    for (let nth = 0; nth < 1_000; nth += 1) seen.ended(seen.started(flow(`cold-${nth}`)), 'delivered', 1);
    for (let nth = 0; nth < 3; nth += 1) seen.started(flow('hot'));
    expect([seen.sample().length, seen.sample()[0]?.key]).to.deep.equal([200, 'hot']);
  });

  it('stays bounded, whatever number of names it sees, and never loses one in flight', () => {
    const { stats: seen } = stats();
    const lasting = seen.started(flow('lasting'));
    for (let nth = 0; nth < 1_000_000; nth += 1) seen.ended(seen.started(flow(`https://host-${nth}.example.com`)), 'delivered', 5);
    expect(seen.remembered).to.be.at.most(2_000);
    expect(seen.sample()[0]).to.include({ key: 'lasting', inFlight: 1 });
    seen.ended(lasting, 'delivered', 5);
    expect(seen.sample().find(({ key }) => key === 'lasting')).to.include({ inFlight: 0, delivered: 1 });
  }).timeout(60_000);
});
