import { expect } from 'chai';

import { deliveryErrors, requestErrors } from '../../../../shared/domain/errors.js';

describe('errors', () => {
  const rows = Object.entries(deliveryErrors);

  for (const [code, row] of rows) {
    it(`${code}: who is to blame decides whether an attempt is used`, () => {
      expect(row.usesAttempt).to.equal(row.blame !== 'us' && row.blame !== 'redis');
    });

    it(`${code}: only the task itself or a policy can make it hopeless`, () => {
      if (!row.canImprove) expect(['task', 'policy']).to.include(row.blame);
      // What uses no attempt is put back, so giving it up must be impossible.
      if (!row.usesAttempt) expect(row.canImprove).to.equal(true);
      if (row.blame === 'task') expect(row.canImprove).to.equal(false);
    });
  }

  it('skips the retries for exactly what the design calls hopeless', () => {
    const hopeless = rows.filter(([, row]) => !row.canImprove).map(([code]) => code);
    expect(hopeless).to.have.members(['message_too_large', 'topic_invalid', 'authorization_denied', 'address_forbidden']);
  });

  it('has a code in snake_case and a sentence for each', () => {
    for (const [code, meaning] of [...rows.map(([name, row]) => [name, row.meaning] as const), ...Object.entries(requestErrors)]) {
      expect(code).to.match(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(meaning, code).to.match(/^[A-Z].*\.$/s);
    }
  });
});
