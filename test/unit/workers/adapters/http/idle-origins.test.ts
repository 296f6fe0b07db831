import { expect } from 'chai';
import { idleOriginsFor, weightOfIdle } from '../../../../../workers/adapters/http/idle-origins.js';

describe('idle origins', () => {
  it('are 10,240 at most, and leave three quarters of the files that may be open', () => {
    expect([Infinity, 1_048_576, 40_960, 40_959, 1_024, 3].map(idleOriginsFor)).to.deep.equal([10_240, 10_240, 10_240, 10_239, 256, 0]);
  });

  it('count four times with TLS', () => {
    expect(['http:', 'https:'].map(weightOfIdle)).to.deep.equal([1, 4]);
  });
});
