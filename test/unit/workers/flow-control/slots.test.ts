import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { BulkheadRules } from '../../../../shared/domain/flow/bulkhead-rules.js';
import { deadFlowOf, flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import type { Slot } from '../../../../workers/flow-control/endpoint-slots.js';
import { Slots } from '../../../../workers/flow-control/slots.js';
import { eventually } from '../../../support/eventually.js';

const rules: BulkheadRules = { slots: 10, minimum: 2, holdMs: 250, firstHoldMs: 50 };

function makeSlots(changes: Partial<BulkheadRules> = {}, hasWindows = false): { slots: Slots; pass: (ms: number) => void } {
  let now = 0;
  return { slots: new Slots({ rules: { ...rules, ...changes }, hasWindows, now: () => now }), pass: (ms) => { now += ms; } };
}

const well = { ofEndpoint: 0, ofHost: 0 };

/** The only endpoint of a host. */
function host(name: string): Flow {
  return flowNamed(name, name);
}

/** Enters until there is no ticket at once. */
function fill(into: Slots, key: string): Slot[] {
  const tickets: Slot[] = [];
  for (;;) {
    const entered = into.enter(host(key));
    if (entered === undefined || entered instanceof Promise) return tickets;
    tickets.push(entered);
  }
}

describe('Slots', () => {
  it('gives a lone endpoint three sevenths of the slots, and shares what is free among two hosts', () => {
    const { slots } = makeSlots({ slots: 12, firstHoldMs: -1 });
    const first = fill(slots, 'a');
    expect(first).to.have.lengthOf(6);
    for (const ticket of first.slice(0, 3)) slots.leave(ticket, well);
    expect(fill(slots, 'b')).to.have.lengthOf(4);
    expect(slots.inFlight).to.equal(7);
  });

  it('admits a held task as soon as its destination has a slot, first come, first served', async () => {
    const { slots } = makeSlots({ firstHoldMs: 10_000 });
    const [ticket, ...others] = fill(slots, 'a');
    if (ticket === undefined) throw new Error('no ticket');
    const order: string[] = [];
    // fill() holds one already.
    const held = Promise.resolve(slots.enter(host('a'))).then((got) => { order.push('second'); return got; });
    slots.leave(ticket, well);
    if (others[0] !== undefined) slots.leave(others[0], well);
    const got = await held;
    expect(got?.endpoint.id).to.equal('a');
    expect(order).to.deep.equal(['second']);
    slots.releaseHeld();
    expect(slots.inFlight).to.equal(5);
  });

  it('admits a held task of another destination when the slot that got free raises its threshold', async () => {
    const { slots } = makeSlots({ firstHoldMs: 10_000 });
    const a = fill(slots, 'a');
    slots.releaseHeld();
    expect([a.length, fill(slots, 'b').length], 'and one of b is held').to.deep.equal([5, 3]);
    for (const ticket of a.slice(0, 3)) slots.leave(ticket, well);
    expect(slots.inFlight, 'it has a slot').to.equal(5 + 3 - 3 + 1);
    slots.releaseHeld();
  });

  it('keeps nothing of the many tasks of one host that were held, one after the other, after another host had waited, too', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void; // the flag makes it a global function of new contexts
    const { slots } = makeSlots({ firstHoldMs: 60_000 });
    const a = fill(slots, 'a');
    const b = fill(slots, 'b');
    // What gets free is offered to both of them, in turn.
    for (const slot of a) slots.leave(slot, well);
    const holdOne = async (): Promise<void> => {
      let entered = slots.enter(host('b'));
      for (; entered !== undefined && !(entered instanceof Promise); entered = slots.enter(host('b'))) b.push(entered);
      const [first] = b.splice(0, 1);
      if (first === undefined) throw new Error('no slot');
      slots.leave(first, well);
      const admitted = await entered;
      if (admitted !== undefined) b.push(admitted);
    };
    const heapAfter = async (holds: number): Promise<number> => {
      for (let nth = 0; nth < holds; nth += 1) await holdOne();
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(1_000);
    expect((await heapAfter(50_000)) - before).to.be.below(2_000_000);
  }).timeout(20_000);

  it('lets a held task go when its time is over, and forgets it', async () => {
    const { slots } = makeSlots({ firstHoldMs: 5 });
    const tickets = fill(slots, 'a');
    expect(await slots.enter(host('a'))).to.equal(undefined);
    for (const ticket of tickets) slots.leave(ticket, well);
    expect([slots.inFlight, slots.room(host('a')).ofFlow]).to.deep.equal([0, 5]);
  });

  it('defers at once what a slow destination has no room for', () => {
    const { slots, pass } = makeSlots();
    fill(slots, 'a');
    pass(51);
    expect(slots.enter(host('a'))).to.equal(undefined);
    slots.releaseHeld();
  });

  it('lets all held ones go at once when it is told to', async () => {
    const { slots } = makeSlots({ firstHoldMs: 60_000 });
    fill(slots, 'a');
    const held = [Promise.resolve(slots.enter(host('a'))), Promise.resolve(slots.enter(host('a')))];
    slots.releaseHeld();
    expect(await Promise.all(held)).to.deep.equal([undefined, undefined]);
  });

  it('counts a ticket once, however often it is given back', () => {
    const { slots } = makeSlots();
    const [ticket] = fill(slots, 'a');
    if (ticket === undefined) throw new Error('no ticket');
    const before = slots.inFlight;
    slots.leave(ticket, well);
    const after = slots.inFlight;
    slots.leave(ticket, well);
    expect([before - after <= 1, slots.inFlight]).to.deep.equal([true, after]);
    slots.releaseHeld();
  });

  describe('with windows', () => {
    const windowed = (slots = 200): ReturnType<typeof makeSlots> => makeSlots({ slots, holdMs: -1, firstHoldMs: -1 }, true);
    /** All of them are answered, and each time as many start as may. */
    const answer = (into: Slots, slots: readonly Slot[]): Slot[] => slots.flatMap((slot) => {
      into.leave(slot, well);
      return fill(into, 'a');
    });

    it('starts slowly with whom it does not know, and twice as fast after each round trip, up to its share', () => {
      const { slots } = windowed();
      let started = fill(slots, 'a');
      const rounds = [1, 2, 3, 4, 5].map(() => {
        const { length } = started;
        started = answer(slots, started);
        return length;
      });
      expect(rounds).to.deep.equal([16, 32, 64, 86, 86]);
    });

    it('does not let a slow endpoint that fills the window of a new host hold up another one, which grows with its answers', () => {
      const { slots } = windowed();
      const [slow, quick] = [flowNamed('http://a/slow', 'http://a'), flowNamed('http://a/quick', 'http://a')];
      const start = (flow: Flow): Slot[] => {
        const started: Slot[] = [];
        for (;;) {
          const slot = slots.enter(flow);
          if (slot === undefined || slot instanceof Promise) return started;
          started.push(slot);
        }
      };
      expect(start(slow)).to.have.lengthOf(16);
      let started = start(quick);
      const rounds = [1, 2, 3, 4].map(() => {
        const { length } = started;
        for (const slot of started) slots.leave(slot, well);
        started = start(quick);
        return length;
      });
      expect(rounds).to.deep.equal([1, 1, 2, 4]);
    });

    it('lets more in while nothing is heard, with no task that asks: held ones start, and it tells who else may', async () => {
      let now = 0;
      const grown: unknown[] = [];
      const slots: Slots = new Slots({ rules: { ...rules, slots: 200, holdMs: 60_000, firstHoldMs: 60_000 }, hasWindows: true, onGrown: ({ keyId, hostId }) => grown.push([keyId, hostId, slots.inFlight]), now: () => now });
      const started = Array.from({ length: 40 }, () => slots.enter(host('slow'))).filter((slot) => slot !== undefined && !(slot instanceof Promise));
      expect([started.length, slots.inFlight]).to.deep.equal([16, 16]);
      // Time in which this process stood still is no silence: so on a busy machine it takes more of it.
      await eventually(() => {
        now += 125;
        expect(grown).to.have.lengthOf(2);
      });
      expect(grown).to.deep.equal([['slow', 'slow', 32], ['slow', 'slow', 40]]);
      slots.close();
    });

    it('lets no more in while it fails, however long nothing is heard', async () => {
      let now = 0;
      const slots = new Slots({ rules: { ...rules, slots: 200, holdMs: 60_000, firstHoldMs: 60_000 }, hasWindows: true, now: () => now });
      const [bad, well] = [flowNamed('http://a/bad', 'http://a'), flowNamed('http://b/well', 'http://b')];
      slots.leave(slots.force(bad), { ofEndpoint: 1, ofHost: 1 });
      for (const flow of [bad, well]) for (let nth = 0; nth < 20; nth += 1) void slots.enter(flow);
      now += 10_000;
      // The same timer has looked at both by then.
      await eventually(() => expect(slots.inFlight).to.equal(16 + 20));
      slots.close();
    });

    it('lets fewer and fewer in while it fails', () => {
      const { slots } = windowed();
      const started = fill(slots, 'a');
      for (const [nth, slot] of started.entries()) slots.leave(slot, { ofEndpoint: nth + 1, ofHost: 1 });
      expect([fill(slots, 'a').length, slots.inFlight]).to.deep.equal([2, 2]);
    });

    it('gives a given-up destination its whole share, for its attempts are to count', () => {
      const { slots } = windowed();
      let started = 0;
      while (slots.enter(host('a'), true) !== undefined) started += 1;
      expect(started).to.equal(86);
      expect([slots.room(host('a'), true).ofFlow, slots.room(host('unknown'), true).ofFlow, slots.room(host('unknown')).ofFlow]).to.deep.equal([0, 49, 16]);
    });

    it('starts slowly again after it was told to, and after half a minute without a send', () => {
      const { slots, pass } = windowed();
      const warmUp = (): void => {
        let started = fill(slots, 'a');
        for (let round = 0; round < 4; round += 1) started = answer(slots, started);
        for (const slot of started) slots.leave(slot, well);
      };
      warmUp();
      expect(slots.room(host('a')).ofFlow).to.be.above(80);
      slots.restart('a');
      expect(slots.room(host('a')).ofFlow).to.equal(16);
      warmUp();
      pass(30_001);
      expect(fill(slots, 'a')).to.have.lengthOf(16);
    });

    it('lets a probe start however full it is', () => {
      const { slots } = windowed(4);
      const full = [...fill(slots, 'a'), ...fill(slots, 'b')];
      const probe = slots.force(host('a'));
      expect(slots.inFlight).to.equal(full.length + 1);
      slots.discard(probe);
      slots.discard(probe);
      expect(slots.inFlight).to.equal(full.length);
    });
  });

  it('measures a send from where it began, and does not take one that waited for the oldest', () => {
    const { slots, pass } = makeSlots();
    const [first, second] = [slots.force(host('a')), slots.force(host('a'))];
    pass(200);
    slots.begin(first);
    pass(20);
    expect(first.endpoint.oldest).to.equal(second);
    slots.leave(first, well);
    expect(first.endpoint.latencyMs).to.equal(20);
    slots.begin(first);
    expect(slots.inFlight, 'what is over does not begin').to.equal(1);
  });

  it('knows no more of a destination after a send that says nothing', () => {
    const { slots, pass } = makeSlots({}, true);
    const slot = slots.force(host('a'));
    pass(5_000);
    slots.discard(slot);
    expect([slot.endpoint.latencyMs, slots.room(host('a')).ofFlow, slots.inFlight]).to.deep.equal([undefined, 5, 0]);
  });

  it('has room for the next ones of a fast destination shortly before its sends end, but not of a slow one', () => {
    const roomAfter = (ms: number): number => {
      const { slots, pass } = makeSlots();
      const sends = fill(slots, 'a');
      slots.releaseHeld();
      pass(ms);
      for (const ticket of sends) slots.leave(ticket, well);
      fill(slots, 'a');
      const room = slots.room(host('a')).ofFlow;
      slots.releaseHeld();
      return room;
    };
    expect(roomAfter(40), 'half of five, less the one that is held').to.equal(2);
    expect(roomAfter(5_000)).to.equal(0);
  });

  it('wakes none ahead for an endpoint that was fast and hangs now: its woken tasks would use up the room of its host', () => {
    const { slots, pass } = makeSlots({ slots: 100 });
    slots.leave(slots.force(host('a')), well);
    pass(20);
    for (let nth = 0; nth < 42; nth += 1) slots.force(host('a'));
    const room = (): unknown => [slots.room(host('a')), slots.speedOf(host('a'))];
    expect(room(), 'all of them are about to end').to.deep.equal([{ ofFlow: 43, ofHost: 50 }, 'quick']);
    pass(251);
    expect(room()).to.deep.equal([{ ofFlow: 1, ofHost: 5 }, 'slow']);
  });

  it('takes no endpoint for one that hangs because a single send does', () => {
    const { slots, pass } = makeSlots({ slots: 100 });
    const [, ...others] = Array.from({ length: 42 }, () => slots.force(host('a')));
    pass(5);
    for (const slot of others) slots.leave(slot, well);
    pass(250);
    for (let nth = 0; nth < 7; nth += 1) slots.force(host('a'));
    expect([slots.speedOf(host('a')), slots.room(host('a')).ofFlow > 20]).to.deep.equal(['quick', true]);
  });

  it('has room for the whole share of a destination it does not know, where there are no windows', () => {
    expect(makeSlots({ slots: 200 }).slots.room(host('unknown')).ofFlow).to.equal(86);
  });

  it('remembers 10,000 destinations at most, however many names it sees, and never forgets one in use', () => {
    const { slots } = makeSlots();
    const lasting = slots.enter(host('lasting'));
    if (lasting === undefined || lasting instanceof Promise) throw new Error('no ticket');
    for (let nth = 0; nth < 1_000_000; nth += 1) {
      const ticket = slots.enter(host(`https://host-${nth}.example.com`));
      if (ticket !== undefined && !(ticket instanceof Promise)) slots.leave(ticket, well);
    }
    expect(slots.remembered).to.be.at.most(10_000);
    expect([slots.room(host('lasting')).ofFlow, slots.inFlight]).to.deep.equal([4, 1]);
    slots.leave(lasting, well);
    expect(slots.inFlight).to.equal(0);
  }).timeout(60_000);

  describe('inside one host', () => {
    const endpoint = (path: string): Flow => flowNamed(`http://a/${path}`, 'http://a');
    const fillFlow = (into: Slots, flow: Flow): Slot[] => {
      const got: Slot[] = [];
      for (let entered = into.enter(flow); entered !== undefined && !(entered instanceof Promise); entered = into.enter(flow)) got.push(entered);
      return got;
    };

    it('keeps slots for a fast endpoint beside one that took all that it may have', () => {
      const { slots } = makeSlots({ slots: 50, firstHoldMs: -1 });
      expect(fillFlow(slots, endpoint('slow'))).to.have.lengthOf(22);
      expect(fillFlow(slots, endpoint('fast')).length).to.be.at.least(2);
    });

    it('keeps slots for a fast endpoint beside very many that hang, whether they have ever answered or not', () => {
      const { slots, pass } = makeSlots({ slots: 200 });
      const fast = endpoint('fast');
      slots.leave(slots.force(fast), well);
      const hanging = Array.from({ length: 150 }, (_, nth) => endpoint(`hangs-${nth}`));
      // Each of them asks again and again.
      const ask = (): number => hanging.reduce((started, flow) => started + fillFlow(slots, flow).length, 0);
      const first = ask();
      pass(60);
      const later = Array.from({ length: 200 }, ask).reduce((sum, started) => sum + started, 0);
      slots.releaseHeld();
      expect([first, first + later]).to.deep.equal([93, 103]);
      expect(fillFlow(slots, fast)).to.have.lengthOf(7);
      slots.releaseHeld();
    });

    it('finds out that an endpoint is fast while very many others hang, and gives it slots of its own then', () => {
      const { slots, pass } = makeSlots({ slots: 200 });
      for (let nth = 0; nth < 150; nth += 1) fillFlow(slots, endpoint(`hangs-${nth}`));
      pass(60);
      slots.releaseHeld();
      expect(slots.enter(endpoint('new')), 'with its first task').to.equal(undefined);
      const slot = slots.enter(endpoint('new'));
      if (slot === undefined || slot instanceof Promise) throw new Error('it was not tried');
      expect(slots.enter(endpoint('new')), 'one at a time').to.be.instanceOf(Promise);
      pass(20);
      slots.leave(slot, well);
      expect(slots.speedOf(endpoint('new'))).to.equal('quick');
      expect(fillFlow(slots, endpoint('new')).length).to.be.at.least(4);
      slots.releaseHeld();
    });

    it('shrinks the window of an endpoint by its failures, and that of the host only by failures of the host', () => {
      const { slots } = makeSlots({ slots: 200, holdMs: -1, firstHoldMs: -1 }, true);
      const [bad, good] = [endpoint('bad'), endpoint('good')];
      for (const [nth, slot] of fillFlow(slots, bad).entries()) slots.leave(slot, { ofEndpoint: nth + 1, ofHost: 1 });
      expect([slots.room(bad).ofFlow, slots.room(good).ofFlow]).to.deep.equal([2, 16]);
      for (const [nth, slot] of fillFlow(slots, good).entries()) slots.leave(slot, { ofEndpoint: nth + 1, ofHost: nth + 1 });
      expect(slots.room(endpoint('new')).ofFlow).to.equal(2);
    });

    it('admits held tasks of its quick endpoints in turn, and none while the host has no room', async () => {
      const { slots } = makeSlots({ slots: 40, firstHoldMs: 10_000 });
      for (let nth = 0; nth < 20; nth += 1) slots.leave(slots.force(endpoint(`held-${nth}`)), well);
      const running = Array.from({ length: 30 }, (_, nth) => slots.force(endpoint(`running-${nth}`)));
      const order: number[] = [];
      for (let nth = 0; nth < 20; nth += 1) void Promise.resolve(slots.enter(endpoint(`held-${nth}`))).then((slot) => slot !== undefined && order.push(nth));
      for (const slot of running.slice(0, 4)) slots.leave(slot, well);
      await Promise.resolve();
      expect(order, 'the host has too many yet').to.deep.equal([]);
      for (const slot of running.slice(4, 20)) slots.leave(slot, well);
      await new Promise(setImmediate);
      expect(order.length).to.be.above(3);
      expect(order).to.deep.equal(order.map((_, nth) => nth));
      slots.releaseHeld();
    });

    it('gives dead letters slots of their own: deliveries that fill the host do not hold them up', () => {
      const { slots } = makeSlots({ slots: 50, firstHoldMs: -1 });
      for (const path of ['a', 'b', 'c']) fillFlow(slots, endpoint(path));
      expect(fillFlow(slots, deadFlowOf(endpoint('a'))).length).to.be.at.least(2);
    });

    it('forgets a host with its last endpoint', () => {
      const { slots } = makeSlots();
      for (let nth = 0; nth < 30_000; nth += 1) {
        const slot = slots.force(flowNamed(`http://h-${nth % 20_000}/x`, `http://h-${nth % 20_000}`));
        slots.leave(slot, well);
      }
      expect(slots.remembered).to.be.at.most(10_000);
      expect(slots.rememberedHosts).to.equal(slots.remembered);
    });
  });

  it('takes no time for silence in which this process stood still: it could hear no answer', async () => {
    const slots = new Slots({ rules: { ...rules, slots: 1_000, firstHoldMs: -1 }, hasWindows: true, now: () => performance.now() });
    expect(fill(slots, 'a')).to.have.lengthOf(16);
    const until = performance.now() + 300;
    while (performance.now() < until);
    expect(fill(slots, 'a'), 'before it has looked').to.have.lengthOf(0);
    await new Promise((resolve) => { setTimeout(resolve, 1); });
    expect(slots.room(host('a')).ofFlow, 'before answers are read').to.equal(0);
    await eventually(() => { expect(slots.room(host('a')).ofFlow, 'in silence').to.be.above(0); });
    slots.close();
  });
});
