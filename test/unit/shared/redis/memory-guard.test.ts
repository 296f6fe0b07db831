import { expect } from 'chai';

import { shareOfMemory } from '../../../../shared/redis/memory-guard.js';

describe('shareOfMemory', () => {
  const table: readonly (readonly [info: string, share: number])[] = [
    ['# Memory\r\nused_memory:850\r\nused_memory_rss:9999\r\nmaxmemory:1000\r\nmaxmemory_human:1000B\r\n', 0.85],
    ['# Memory\r\nused_memory:850\r\nmaxmemory:0\r\n', 0],
    ['', 0],
  ];
  for (const [info, share] of table) {
    it(`is ${share} for ${JSON.stringify(info)}`, () => {
      expect(shareOfMemory(info)).to.equal(share);
    });
  }
});
