import { expect } from 'chai';
import fc from 'fast-check';

import { BodyBudget } from '../../../../server/http/body-budget.js';

const KIB = 1_024;
const ALWAYS_TAKEN = 64 * KIB;

describe('BodyBudget', () => {
  it('always takes bodies of 64 KiB, and counts only what is above', () => {
    const budget = new BodyBudget(0);
    for (let body = 0; body < 10; body += 1) expect(budget.open({}).take(ALWAYS_TAKEN)).to.equal(true);
    expect(budget.usedBytes).to.equal(0);
    const held = budget.open({});
    expect([held.take(ALWAYS_TAKEN), held.take(1)]).to.deep.equal([true, false]);
  });

  it('lets a body grow as long as so many bytes are free as it holds', () => {
    const budget = new BodyBudget(1_000 * KIB);
    const [first, second, third] = [budget.open({}), budget.open({}), budget.open({})];
    for (const held of [first, second, third]) held.take(ALWAYS_TAKEN);
    const grow = (held: typeof first): number => {
      let taken = 0;
      while (held.take(KIB)) taken += 1;
      return taken;
    };
    expect(grow(first)).to.equal(500);
    expect(grow(second)).to.equal(250);
    expect(grow(third)).to.equal(125);
    first.release();
    expect(grow(second)).to.equal(187);
  });

  it('holds what it was set to, and not one byte more', () => {
    const ofBytes = (bytes: number) => BodyBudget.for(1, bytes).open({});
    // Half of it is the most that one body may take.
    expect(ofBytes(1_000 * KIB).take(ALWAYS_TAKEN + 500 * KIB)).to.equal(true);
    expect(ofBytes(1_000 * KIB).take(ALWAYS_TAKEN + 500 * KIB + 1)).to.equal(false);
    expect(ofBytes(1_000 * KIB + 2).take(ALWAYS_TAKEN + 500 * KIB + 1)).to.equal(true);
  });

  it('has room for the largest body of a deployment', () => {
    for (const largest of [1, 6 * 1_048_576, 400 * 1_048_576]) expect(BodyBudget.for(largest).open({}).take(largest)).to.equal(true);
  });

  it('has everything back when all bodies have ended, whatever happened to them', () => {
    const step = fc.record({ body: fc.nat({ max: 5 }), does: fc.constantFrom('take', 'giveBack', 'release'), bytes: fc.nat({ max: 300 * KIB }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const budget = new BodyBudget(1_000 * KIB);
        const bodies = Array.from({ length: 6 }, () => ({ held: budget.open({}), bytes: 0 }));
        for (const { body: nth, does, bytes } of steps) {
          const body = bodies[nth];
          if (body === undefined) continue;
          if (does === 'take' && body.held.take(bytes)) body.bytes += bytes;
          if (does === 'giveBack') {
            const given = Math.min(bytes, body.bytes);
            body.held.giveBack(given);
            body.bytes -= given;
          }
          if (does === 'release') {
            body.held.release();
            body.bytes = 0;
          }
          const expected = bodies.reduce((sum, each) => sum + Math.max(each.bytes - ALWAYS_TAKEN, 0), 0);
          expect(budget.usedBytes).to.equal(expected);
          expect(budget.usedBytes).to.be.at.most(1_000 * KIB);
        }
        for (const { held } of bodies) held.release();
        expect(budget.usedBytes).to.equal(0);
      }),
    );
  });

  it('says what the body of each request takes now: nothing for a small one', () => {
    const budget = new BodyBudget(1_000_000);
    const [large, small] = [{}, {}];
    const [ofLarge, ofSmall] = [budget.open(large), budget.open(small)];
    ofSmall.take(65_536);
    ofLarge.take(100_000);
    expect([budget.bytesOf(large), budget.bytesOf(small), budget.bytesOf({})]).to.deep.equal([34_464, 0, 0]);
    ofLarge.release();
    ofSmall.release();
    expect(budget.bytesOf(large)).to.equal(0);
  });
});
