import { expect } from 'chai';

import { MessageLoad } from '../../../../workers/delivery/message-load.js';

describe('MessageLoad', () => {
  it('sets no limit while there is room', () => {
    const load = new MessageLoad(1_000);
    expect(load.mostInHand(0)).to.equal(Infinity);
    load.take(999);
    expect(load.mostInHand(999)).to.equal(Infinity);
  });

  it('allows so many jobs as have room, if all are as large as those in hand, and never none', () => {
    const load = new MessageLoad(1_000);
    for (let nth = 0; nth < 10; nth += 1) load.take(100);
    expect(load.mostInHand(10)).to.equal(10);
    for (let nth = 0; nth < 10; nth += 1) load.take(100);
    expect(load.mostInHand(20)).to.equal(10);
    expect(load.mostInHand(1)).to.equal(1);
    expect(load.mostInHand(0), 'a shard that has none').to.equal(1);
  });

  it('has room again when messages were given back', () => {
    const load = new MessageLoad(1_000);
    load.take(1_000);
    load.giveBack(1);
    expect(load.mostInHand(5)).to.equal(Infinity);
  });
});
