import { expect } from 'chai';

import { ENTRIES_KEPT, entriesKeptOfShard } from '../../../../../shared/queue/audit/entries-kept.js';

describe('the entries of the audit that a shard keeps', () => {
  const table: readonly (readonly [shards: number, kept: number])[] = [[1, 10_000], [2, 10_000], [3, 6_667], [16, 1_250], [20, 1_000], [21, 1_000], [256, 1_000]];
  for (const [shards, kept] of table) it(`are ${kept} with ${shards} shards`, () => { expect(entriesKeptOfShard(shards)).to.equal(kept); });

  it('hold the newest 10,000 of all where shards get alike, and are never so many as each of them keeping all', () => {
    for (let shards = 1; shards <= 256; shards += 1) {
      expect(entriesKeptOfShard(shards) * shards, String(shards)).to.be.at.least(ENTRIES_KEPT);
      expect(entriesKeptOfShard(shards) * shards, String(shards)).to.be.at.most(Math.max(2 * ENTRIES_KEPT + shards, 1_000 * shards));
    }
  });
});
