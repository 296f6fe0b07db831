import { expect } from 'chai';
import fc from 'fast-check';

import { MARKS, markTags, versionMarkKeys } from '../../../../shared/queue/fleet-keys.js';
import { keySlot, SLOTS } from '../../../../shared/redis/key-slot.js';

/** What QUEUE_PREFIX may be. */
const prefixes = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);

/** How many marks are in these slots. */
const marksIn = (slots: readonly number[], from: number, to: number): number => slots.filter((slot) => from <= slot && slot < to).length;

describe('the marks of a Cluster', () => {
  it('have the same tags in every process: sample values', () => {
    // A change here would part processes of two versions: they would tell and ask different marks.
    expect(markTags('bull').map((tag) => Number(/^\{bull-mark-\d+-(\d+)\}$/.exec(tag)?.[1]))).to.deep.equal([40, 43, 51, 1, 5, 28, 3, 8, 51, 2, 2, 22, 9, 11, 21]);
    expect(versionMarkKeys('bull')[3]).to.deep.equal({ accessVersion: '{bull-mark-3-1}:access-version', sessionVersion: '{bull-mark-3-1}:session-version' });
  });

  it('stand one in each of 15 equal parts of the slots, for any prefix, and with all keys in one slot', () => {
    fc.assert(
      fc.property(prefixes, (prefix) => {
        const slots = versionMarkKeys(prefix).map((keys) => {
          expect(keySlot(keys.sessionVersion)).to.equal(keySlot(keys.accessVersion));
          return keySlot(keys.accessVersion);
        });
        expect(slots.map((slot) => Math.floor((slot * 15) / 16_384))).to.deep.equal(Array.from({ length: 15 }, (_, nth) => nth));
      }),
      { numRuns: 500 },
    );
  });

  it('leave no half of them to a master that has two fifths of the slots in one piece, wherever that begins', () => {
    fc.assert(
      fc.property(prefixes, fc.nat(SLOTS), fc.integer({ min: 1, max: Math.floor(SLOTS * 0.4) }), (prefix, from, length) => {
        expect(marksIn(markTags(prefix).map(keySlot), from, from + length) * 2).to.be.below(MARKS);
      }),
      { numRuns: 500 },
    );
  });

  it('leave most of them when one of three or more masters is away, which have equal parts as redis-cli deals them', () => {
    fc.assert(
      fc.property(prefixes, fc.integer({ min: 3, max: 64 }), (prefix, masters) => {
        const slots = markTags(prefix).map(keySlot);
        for (let nth = 0; nth < masters; nth += 1) {
          const [from, to] = [nth, nth + 1].map((each) => Math.round((each * SLOTS) / masters)) as [number, number];
          expect(marksIn(slots, from, to) * 2).to.be.below(MARKS);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('leave most of them when one of two masters is away, but not when the other one is', () => {
    fc.assert(
      fc.property(prefixes, (prefix) => { expect(marksIn(markTags(prefix).map(keySlot), 0, SLOTS / 2)).to.be.oneOf([7, 8]); }),
    );
  });

  it('leave most of them when a master joins, and gets the first slots of each of the others', () => {
    fc.assert(
      fc.property(prefixes, fc.integer({ min: 2, max: 16 }), (prefix, masters) => {
        const slots = markTags(prefix).map(keySlot);
        const pieces = Array.from({ length: masters }, (_, nth) => {
          const from = Math.round((nth * SLOTS) / masters);
          return marksIn(slots, from, from + Math.floor(SLOTS / masters / (masters + 1)));
        });
        expect(pieces.reduce((sum, piece) => sum + piece, 0) * 2).to.be.below(MARKS);
      }),
      { numRuns: 200 },
    );
  });
});
