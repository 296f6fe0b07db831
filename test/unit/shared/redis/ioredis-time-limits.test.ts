import { expect } from 'chai';

import { patchIoredisTimeLimits } from '../../../../shared/redis/ioredis-time-limits.js';

describe('patchIoredisTimeLimits', () => {
  it('is in force with the ioredis that is installed, however often it is called', () => {
    expect(patchIoredisTimeLimits()).to.equal(true);
    expect(patchIoredisTimeLimits()).to.equal(true);
  });
});
