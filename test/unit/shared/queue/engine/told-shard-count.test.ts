import { expect } from 'chai';

import { judgeShards, judgeStored, type ShardsVerdict, type StoredVerdict, type Told } from '../../../../../shared/queue/engine/told-shard-count.js';

describe('the number of shards that is stored', () => {
  const other = (...numbers: string[]): StoredVerdict => ({ kind: 'other', numbers });
  const table: readonly (readonly [own: number, told: readonly Told[], verdict: StoredVerdict])[] = [
    [4, ['4', '4', '4', '4', '4'], { kind: 'agreed' }],
    // A store of an older version, and one that has lost its first key.
    [4, ['4', null, null, null, null], { kind: 'agreed' }],
    [4, [null, '4', '4', '4', '4'], { kind: 'agreed' }],
    // Parts are away.
    [4, [undefined, undefined, '4', undefined, null], { kind: 'agreed' }],
    [4, [undefined, null, null, null, null], { kind: 'wait' }],
    [4, [null, undefined, null, null, null], { kind: 'wait' }],
    [4, [null, null, null, null, null], { kind: 'look' }],
    [4, ['8', null, undefined, null, null], other('8')],
    [4, [undefined, '8', undefined, null, null], other('8')],
    [4, ['16', '4', '4', '4', '4'], other('16', '4')],
    [1, ['01', null], other('01')],
  ];
  for (const [own, told, verdict] of table) {
    it(`with SHARDS=${own} and ${JSON.stringify(told.map((each) => (each === undefined ? 'away' : each)))} means ${JSON.stringify(verdict)}`, () => {
      expect(judgeStored(own, told)).to.deep.equal(verdict);
    });
  }
});

describe('the shards that are there where no number is stored', () => {
  const other = (count: number, isLeast = false): ShardsVerdict => ({ kind: 'other', count, isLeast });
  /** `x` is a shard that is there. */
  const table: readonly (readonly [own: number, there: string, verdict: ShardsVerdict])[] = [
    [4, '', { kind: 'fits' }],
    [4, '........', { kind: 'fits' }],
    [4, 'xxxx....', { kind: 'fits' }],
    // Some are lost, and the last one is there.
    [4, 'x..x....', { kind: 'fits' }],
    [4, 'x.x.....', { kind: 'unknown' }],
    // The last ones may be lost.
    [4, 'x.......', other(1, true)],
    [4, 'xxx.....', other(3, true)],
    [4, 'xxxxxxxx', other(8)],
    [4, 'xx.xxx..', other(6, true)],
  ];
  for (const [own, there, verdict] of table) {
    it(`with SHARDS=${own} and ${there === '' ? 'none' : there} mean ${JSON.stringify(verdict)}`, () => {
      expect(judgeShards(own, [...there].map((each) => each === 'x'))).to.deep.equal(verdict);
    });
  }
});
