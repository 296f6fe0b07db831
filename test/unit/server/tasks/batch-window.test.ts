import { expect } from 'chai';

import { BatchWindow } from '../../../../server/tasks/batch-window.js';

const MIB = 1_048_576;

describe('BatchWindow', () => {
  it('is full with 400 tasks, and has room again when one of them is through', async () => {
    const window = new BatchWindow();
    for (let index = 0; index < 400; index += 1) {
      expect(window.hasRoom).to.equal(true);
      window.enter(10);
    }
    expect(window.hasRoom).to.equal(false);
    const room = window.whenRoom();
    window.leave(10);
    await room;
    expect(window.hasRoom).to.equal(true);
  });

  it('is full with 4 MiB, until there is less', async () => {
    const window = new BatchWindow();
    window.enter(3 * MIB);
    window.enter(2 * MIB);
    expect(window.hasRoom).to.equal(false);
    const room = window.whenRoom();
    window.leave(2 * MIB);
    await room;
  });

  it('lets one task in, however large it is', () => {
    const window = new BatchWindow();
    expect(window.hasRoom).to.equal(true);
    window.enter(6 * MIB);
    expect(window.hasRoom).to.equal(false);
  });

  it('says when it is empty', async () => {
    const window = new BatchWindow();
    await window.whenEmpty();
    window.enter(1);
    window.enter(1);
    const order: string[] = [];
    const empty = window.whenEmpty().then(() => order.push('empty'));
    window.leave(1);
    order.push('one left');
    await Promise.resolve();
    window.leave(1);
    await empty;
    expect(order).to.deep.equal(['one left', 'empty']);
  });
});
