import { expect } from 'chai';

import { circuitsOver, hasOpenedSince } from '../../../../../shared/domain/bulk-actions/opened-circuit.js';
import { defaultCircuitRules, type Circuit } from '../../../../../shared/domain/flow/circuit.js';
import { flowNamed } from '../../../../../shared/domain/destinations/flow.js';

describe('whether a circuit opened while a bulk action ran', () => {
  const circuit: Circuit = { openedAt: 1_000, until: 3_000, coolMs: 2_000, reason: 'failures' };
  const rules = defaultCircuitRules;

  it('says so of one that opened since', () => {
    expect(hasOpenedSince([circuit], 999, 2_000, rules)).to.equal(true);
    expect(hasOpenedSince([circuit], 999, 4_000, rules), 'single probes are sent').to.equal(true);
  });

  it('does not of one that was open before, that is given up, or that is switched off', () => {
    expect(hasOpenedSince([circuit], 1_000, 2_000, rules)).to.equal(false);
    expect(hasOpenedSince([circuit], 0, 1_000 + rules.maxOpenMs, rules)).to.equal(false);
    expect(hasOpenedSince([circuit], 0, 2_000, { ...rules, isOn: false })).to.equal(false);
    expect(hasOpenedSince([], 0, 2_000, rules)).to.equal(false);
  });

  it('looks at the circuits of the host and of the endpoint, not at that of the other paths of the host', () => {
    expect(circuitsOver(flowNamed('https://a/x', 'https://a'))).to.have.members(['https://a', 'https://a/x\nhttps://a']);
    expect(circuitsOver(flowNamed('tenant-7', 'https://a', { endpoint: 'https://a/x' }))).to.have.members(['https://a', 'tenant-7\nhttps://a']);
  });
});
