import { expect } from 'chai';

import type { BulkheadRules } from '../../../../shared/domain/flow-control.js';
import { Bulkhead, type Slot } from '../../../../workers/flow-control/bulkhead.js';

const rules: BulkheadRules = { slots: 10, minimum: 2, holdMs: 250, firstHoldMs: 50 };

function bulkhead(changes: Partial<BulkheadRules> = {}): { bulkhead: Bulkhead; pass: (ms: number) => void } {
  let now = 0;
  return { bulkhead: new Bulkhead({ rules: { ...rules, ...changes }, hasWindows: false, now: () => now }), pass: (ms) => { now += ms; } };
}

/** Enters until there is no ticket at once. */
function fill(into: Bulkhead, key: string): Slot[] {
  const tickets: Slot[] = [];
  for (;;) {
    const entered = into.enter(key);
    if (entered === undefined || entered instanceof Promise) return tickets;
    tickets.push(entered);
  }
}

describe('Bulkhead', () => {
  it('gives one destination half of the slots, and two a third each', () => {
    const { bulkhead: slots } = bulkhead({ slots: 12, firstHoldMs: -1 });
    const first = fill(slots, 'a');
    expect(first).to.have.lengthOf(6);
    for (const ticket of first.slice(0, 3)) slots.leave(ticket, 0);
    expect(fill(slots, 'b')).to.have.lengthOf(5);
    expect(slots.inFlight).to.equal(8);
  });

  it('admits a held task as soon as its destination has a slot, first come, first served', async () => {
    const { bulkhead: slots } = bulkhead({ firstHoldMs: 10_000 });
    const [ticket, ...others] = fill(slots, 'a');
    if (ticket === undefined) throw new Error('no ticket');
    const order: string[] = [];
    // fill() holds one already.
    const held = Promise.resolve(slots.enter('a')).then((got) => { order.push('second'); return got; });
    slots.leave(ticket, 0);
    if (others[0] !== undefined) slots.leave(others[0], 0);
    const got = await held;
    expect(got?.destination.group).to.equal('a');
    expect(order).to.deep.equal(['second']);
    slots.releaseHeld();
    expect(slots.inFlight).to.equal(5);
  });

  it('admits a held task of another destination when the slot that got free raises its threshold', async () => {
    const { bulkhead: slots } = bulkhead({ firstHoldMs: 10_000 });
    const a = fill(slots, 'a');
    slots.releaseHeld();
    expect([a.length, fill(slots, 'b').length], 'and one of b is held').to.deep.equal([5, 3]);
    for (const ticket of a.slice(0, 2)) slots.leave(ticket, 0);
    expect(slots.inFlight, 'it has a slot').to.equal(5 + 3 - 2 + 1);
    slots.releaseHeld();
  });

  it('lets a held task go when its time is over, and forgets it', async () => {
    const { bulkhead: slots } = bulkhead({ firstHoldMs: 5 });
    const tickets = fill(slots, 'a');
    expect(await slots.enter('a')).to.equal(undefined);
    for (const ticket of tickets) slots.leave(ticket, 0);
    expect([slots.inFlight, slots.room('a')]).to.deep.equal([0, 10]);
  });

  it('defers at once what a slow destination has no room for', () => {
    const { bulkhead: slots, pass } = bulkhead();
    fill(slots, 'a');
    pass(51);
    expect(slots.enter('a')).to.equal(undefined);
    slots.releaseHeld();
  });

  it('lets all held ones go at once when it is told to', async () => {
    const { bulkhead: slots } = bulkhead({ firstHoldMs: 60_000 });
    fill(slots, 'a');
    const held = [Promise.resolve(slots.enter('a')), Promise.resolve(slots.enter('a'))];
    slots.releaseHeld();
    expect(await Promise.all(held)).to.deep.equal([undefined, undefined]);
  });

  it('counts a ticket once, however often it is given back', () => {
    const { bulkhead: slots } = bulkhead();
    const [ticket] = fill(slots, 'a');
    if (ticket === undefined) throw new Error('no ticket');
    const before = slots.inFlight;
    slots.leave(ticket, 0);
    const after = slots.inFlight;
    slots.leave(ticket, 0);
    expect([before - after <= 1, slots.inFlight]).to.deep.equal([true, after]);
    slots.releaseHeld();
  });

  it('remembers 10,000 destinations at most, however many names it sees, and never forgets one in use', () => {
    const { bulkhead: slots } = bulkhead();
    const lasting = slots.enter('lasting');
    if (lasting === undefined || lasting instanceof Promise) throw new Error('no ticket');
    for (let nth = 0; nth < 10_000_000; nth += 1) {
      const ticket = slots.enter(`https://host-${nth}.example.com`);
      if (ticket !== undefined && !(ticket instanceof Promise)) slots.leave(ticket, 0);
    }
    expect(slots.remembered).to.be.at.most(10_000);
    expect([slots.room('lasting'), slots.inFlight]).to.deep.equal([8, 1]);
    slots.leave(lasting, 0);
    expect(slots.inFlight).to.equal(0);
  }).timeout(60_000);
});
