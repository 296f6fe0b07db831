import { expect } from 'chai';

import type { FlowPolicy } from '../../../../shared/domain/flow/flow-policy.js';
import { laterBy } from '../../../../server/flow/last-flow.js';

describe('laterBy', () => {
  it('ends the pauses whose time has passed meanwhile, and leaves all else', () => {
    const policies = new Map<string, FlowPolicy>([
      ['soon', { isPaused: true, pause: { until: 1_500 }, maxConcurrency: 3 }],
      ['later', { isPaused: true, pause: { until: 5_000 } }],
      ['open', { isPaused: true, pause: {} }],
      ['limited', { ratePerSecond: 2 }],
    ]);
    const snapshot = laterBy({ policies, circuits: new Map(), workers: 2, now: 1_000 }, 1_000);
    expect(snapshot).to.include({ workers: 2, now: 2_000 });
    expect([...snapshot.policies].map(([name, { isPaused = false }]) => `${name} ${isPaused}`)).to.deep.equal(['soon false', 'later true', 'open true', 'limited false']);
    expect(snapshot.policies.get('soon')).to.include({ maxConcurrency: 3 });
  });
});
