import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import { EndpointSlots, HostSlots, type Slot } from '../../../../workers/flow-control/endpoint-slots.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function usedAfterCollection(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe('slots of an endpoint', () => {
  const host = new HostSlots('http://a', 8);

  it('knows the oldest of those in flight, whichever of them end', () => {
    fc.assert(fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (steps) => {
      const endpoint = new EndpointSlots('http://a/x', host, 8);
      const expected: Slot[] = [];
      steps.forEach((step, startedAt) => {
        const ends = expected[step];
        if (ends === undefined) {
          const slot: Slot = { endpoint, isTry: false, startedAt };
          endpoint.add(slot);
          expected.push(slot);
        } else {
          expect(endpoint.delete(ends)).to.equal(true);
          expect(endpoint.delete(ends)).to.equal(false);
          expected.splice(step, 1);
        }
        const inOrder: Slot[] = [];
        for (let slot = endpoint.oldest; slot !== undefined; slot = slot.newer) inOrder.push(slot);
        expect(inOrder.map((slot) => slot.startedAt)).to.deep.equal(expected.map((slot) => slot.startedAt));
        expect(endpoint.inFlight).to.equal(expected.length);
      });
    }));
  });
});

describe('endpoints of a host that wait in their slots', () => {
  it('take turns in the order in which they began to wait', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('add', 'turn', 'ends', 'all end'), { maxLength: 60 }), (steps) => {
      const host = new HostSlots('http://a', 8);
      let expected: EndpointSlots[] = [];
      steps.forEach((step, nth) => {
        if (step === 'add') {
          const endpoint = new EndpointSlots(`http://a/${nth}`, host, 8);
          host.hold(endpoint);
          expected.push(endpoint);
        } else if (step === 'all end') {
          host.holding.clear();
          host.forgetTurns();
          expected = [];
        } else if (step === 'ends') {
          const endpoint = expected.splice(Math.floor(expected.length / 2), 1)[0];
          if (endpoint !== undefined) host.holding.delete(endpoint);
        } else {
          const next = host.nextHolding();
          expect(next?.id).to.equal(expected[0]?.id);
          if (next === undefined) return;
          host.holding.delete(next);
          host.holding.add(next);
          expected.push(...expected.splice(0, 1));
        }
      });
    }));
  });

  it('leave no memory behind while one of them goes on waiting, and nobody asks whose turn it is', () => {
    const host = new HostSlots('http://a', 8);
    host.hold(new EndpointSlots('http://a/stays', host, 8));
    expect(host.nextHolding()?.id).to.equal('http://a/stays');
    const comeAndGo = (times: number): void => {
      for (let nth = 0; nth < times; nth += 1) {
        const endpoint = new EndpointSlots('http://a/goes', host, 8);
        host.hold(endpoint);
        host.holding.delete(endpoint);
      }
    };
    comeAndGo(1_000);
    const before = usedAfterCollection();
    comeAndGo(200_000);
    expect(usedAfterCollection() - before, 'bytes; 40 of each were 8,000,000').to.be.below(4_000_000);
    expect(host.nextHolding()?.id).to.equal('http://a/stays');
  });
});
