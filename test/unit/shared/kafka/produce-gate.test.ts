import { expect } from 'chai';

import { ProduceGate } from '../../../../shared/kafka/produce-gate.js';

describe('ProduceGate', () => {
  it('knows which batches of a partition have left: they leave in their order', () => {
    const gate = new ProduceGate();
    const [first, second, other] = [gate.enter(0), gate.enter(0), gate.enter(1)];
    expect(gate.mayLeave(0)).to.equal(true);
    expect([first.hasLeft, second.hasLeft, other.hasLeft]).to.deep.equal([true, false, false]);
    expect(gate.mayLeave(1)).to.equal(true);
    expect([first.hasLeft, second.hasLeft, other.hasLeft]).to.deep.equal([true, false, true]);
  });

  it('forgets a batch that ended without having left, so that the next one is not taken for it', () => {
    const gate = new ProduceGate();
    const first = gate.enter(0);
    gate.end(0, first);
    const second = gate.enter(0);
    gate.mayLeave(0);
    gate.end(0, second);
    expect([first.hasLeft, second.hasLeft]).to.deep.equal([false, true]);
  });

  it('lets nothing leave for a partition that is shut, and all for the others', () => {
    const gate = new ProduceGate();
    const [first, other] = [gate.enter(0), gate.enter(1)];
    gate.shut(0);
    expect([gate.mayLeave(0), gate.mayLeave(1)]).to.deep.equal([false, true]);
    expect([first.hasLeft, other.hasLeft]).to.deep.equal([false, true]);
    expect([gate.isShut(0), gate.isShut(1)]).to.deep.equal([true, false]);
  });

  it('counts the batches of a partition that have not ended, whether they have left or not', () => {
    const gate = new ProduceGate();
    const [first, second] = [gate.enter(0), gate.enter(0)];
    gate.mayLeave(0);
    expect([gate.underWay(0), gate.underWay(1)]).to.deep.equal([2, 0]);
    gate.end(0, first);
    gate.end(0, second);
    expect(gate.underWay(0)).to.equal(0);
  });
});
