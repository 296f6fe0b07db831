import { expect } from 'chai';
import fc from 'fast-check';

import { deadFlowOf, flowNamed, flowOfId, flowWithEndpoint, isOfOthers } from '../../../../../shared/domain/destinations/flow.js';

describe('the id of a flow', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !text.includes('\n'));

  it('keeps key, host and phase, whatever they hold but line breaks', () => {
    fc.assert(fc.property(name, name, fc.boolean(), (key, host, isDead) => {
      const flow = flowNamed(key, host, { isDead });
      expect(flowOfId(flow.id)).to.deep.equal(flow);
    }));
  });

  it('differs for flows that differ in any of them', () => {
    fc.assert(fc.property(name, name, name, name, (key, host, otherKey, otherHost) => {
      fc.pre(key !== otherKey || host !== otherHost);
      const [flow, other] = [flowNamed(key, host), flowNamed(otherKey, otherHost)];
      expect(new Set([flow, other, deadFlowOf(flow), deadFlowOf(other)].map(({ id }) => id)).size).to.equal(4);
    }));
  });

  it('of a flow whose key is its host is that of the host, which older versions gave to all of its tasks', () => {
    expect(flowNamed('https://a', 'https://a')).to.include({ id: 'https://a', hostId: 'https://a' });
    const dead = deadFlowOf(flowNamed('https://a', 'https://a'));
    expect(dead.id).to.equal(dead.hostId);
    expect(dead.hostId).to.not.equal('https://a');
  });

  it('says which endpoint a flow_key goes to only by a name of its own: the name of its slots and of its circuit stays', () => {
    const flow = flowNamed('tenant-7', 'https://a', { endpoint: 'https://a/x' });
    const split = flowWithEndpoint(flow);
    expect(flow.keyId).to.equal(flow.id);
    expect(split).to.deep.equal({ ...flow, id: 'tenant-7\nhttps://a\nhttps://a/x' });
    expect(flowOfId(split.id)).to.deep.equal(split);
    expect([flow, split, flowNamed('https://a', 'https://a', { endpoint: 'https://a/x' })].map(isOfOthers)).to.deep.equal([false, false, true]);
  });

  it('tells older versions, which read two lines, the key and the host', () => {
    const flow = flowNamed('https://a/x', 'https://a');
    for (const { id } of [flow, deadFlowOf(flow)]) expect(id.split('\n').slice(0, 2)).to.deep.equal(['https://a/x', 'https://a']);
  });
});
