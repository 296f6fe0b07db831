import { setImmediate as nextTurn } from 'node:timers/promises';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { holdAsking } from '../../../../shared/redis/held-asking.js';

describe('holdAsking', () => {
  it('is in force with the ioredis that is installed, however often it is called', () => {
    expect(holdAsking()).to.equal(true);
    expect(holdAsking()).to.equal(true);
  });

  it('lets a refused ASKING that nobody waits for end nothing, and tells whoever does', async () => {
    holdAsking();
    const redis = new Redis({ lazyConnect: true });
    redis.disconnect();
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const refused = redis.asking();
      await nextTurn();
      await nextTurn();
      expect(unhandled).to.deep.equal([]);
      expect(await refused.catch(String)).to.include('Connection is closed');
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
