import { expect } from 'chai';

import { SeenReplicas } from '../../../../shared/redis/seen-replicas.js';

describe('what writes have shown of the replicas of a master', () => {
  let now: number;
  let seen: SeenReplicas;
  beforeEach(() => {
    now = 10_000;
    seen = new SeenReplicas(() => now);
  });

  it('is that there are enough, as long as nothing is known, and that is asked for', () => {
    expect(seen.hasEnough('one')).to.equal(true);
    expect(seen.isFresh('one')).to.equal(false);
  });

  it('holds for a second, and stays what is known until another write shows something else', () => {
    seen.saw('one', false);
    expect([seen.hasEnough('one'), seen.isFresh('one')]).to.deep.equal([false, true]);
    now += 999;
    expect(seen.isFresh('one')).to.equal(true);
    now += 1;
    expect([seen.hasEnough('one'), seen.isFresh('one')]).to.deep.equal([false, false]);
    seen.saw('one', true);
    expect([seen.hasEnough('one'), seen.isFresh('one')]).to.deep.equal([true, true]);
  });

  it('is no trouble when one write is late among others that are replicated', () => {
    seen.saw('one', true);
    now += 999;
    seen.saw('one', false);
    expect(seen.hasEnough('one')).to.equal(true);
    now += 1;
    expect(seen.isFresh('one'), 'the one that failed makes the other no younger').to.equal(false);
    seen.saw('one', false);
    expect(seen.hasEnough('one')).to.equal(false);
  });

  it('is told of each master by itself, and forgotten with it', () => {
    seen.saw('one', false);
    expect(seen.hasEnough('two')).to.equal(true);
    seen.forget('one');
    expect([seen.hasEnough('one'), seen.isFresh('one')]).to.deep.equal([true, false]);
  });
});
