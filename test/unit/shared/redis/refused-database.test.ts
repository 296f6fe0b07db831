import { expect } from 'chai';

import { endOnRefusedDatabase } from '../../../../shared/redis/refused-database.js';

describe('endOnRefusedDatabase', () => {
  it('is in force with the ioredis that is installed, however often it is called', () => {
    expect(endOnRefusedDatabase()).to.equal(true);
    expect(endOnRefusedDatabase()).to.equal(true);
  });
});
