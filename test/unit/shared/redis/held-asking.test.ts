import { expect } from 'chai';

import { holdAsking } from '../../../../shared/redis/held-asking.js';

describe('holdAsking', () => {
  it('is in force with the ioredis that is installed, however often it is called', () => {
    expect(holdAsking()).to.equal(true);
    expect(holdAsking()).to.equal(true);
  });
});
