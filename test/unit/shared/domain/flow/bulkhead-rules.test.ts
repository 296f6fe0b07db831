import { expect } from 'chai';
import fc from 'fast-check';

import { averageLatencyMs, endingSoon, hasHostRoom, hasRoom, mayStart, roomOfEndpoint, roomOfHost, threshold, type BulkheadRules, type EndpointLoad, type HostLoad } from '../../../../../shared/domain/flow/bulkhead-rules.js';

const rules: BulkheadRules = { slots: 100, minimum: 2, holdMs: 250, firstHoldMs: 50 };

function load(changes: Partial<EndpointLoad>): EndpointLoad {
  return { inFlight: 0, held: 0, latencyMs: undefined, oldestMs: 0, isHanging: false, window: Infinity, ...changes };
}

/** One endpoint of one host, as the simulated worker below sees it. */
interface Simulated {
  readonly host: number;
  inFlight: number;
  readonly latencyMs: number | undefined;
}

/** Endpoints of hosts on one worker. All sends take for ever. */
class Simulation {
  constructor(
    readonly endpoints: readonly Simulated[],
    readonly slots: number,
  ) {}

  get total(): number {
    return this.endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  host(host: number): HostLoad {
    return { inFlight: this.endpoints.filter((endpoint) => endpoint.host === host).reduce((sum, { inFlight }) => sum + inFlight, 0), window: Infinity };
  }

  load({ inFlight, latencyMs }: Simulated): EndpointLoad {
    return load({ inFlight, latencyMs, oldestMs: inFlight > 0 ? 5_000 : 0 });
  }

  mayStart(endpoint: Simulated): boolean {
    return mayStart(this.load(endpoint), this.host(endpoint.host), this.total, { ...rules, slots: this.slots }).kind === 'start';
  }

  /** Each in its turn starts one send, until not one of them may. */
  fill(some = this.endpoints): void {
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      for (const endpoint of some) {
        if (this.total >= this.slots || !this.mayStart(endpoint)) continue;
        endpoint.inFlight += 1;
        isMoving = true;
      }
    }
  }
}

describe('mayStart', () => {
  const idle = { inFlight: 0, window: Infinity };
  const of = (inFlight: number, window = Infinity): HostLoad => ({ inFlight, window });
  const cases: readonly (readonly [name: string, load: Partial<EndpointLoad>, host: HostLoad, total: number, expected: ReturnType<typeof mayStart>])[] = [
    ['beyond what it has shown to bear, however many slots are free', { inFlight: 16, window: 16, latencyMs: 20 }, of(16), 16, { kind: 'hold', holdMs: 250 }],
    ['beyond what its host has shown to bear', { inFlight: 1, latencyMs: 20 }, of(16, 16), 16, { kind: 'hold', holdMs: 250 }],
    ['the first send of an idle process', {}, idle, 0, { kind: 'start' }],
    ['a lone endpoint, up to three sevenths of the slots', { inFlight: 42 }, of(42), 42, { kind: 'start' }],
    ['and not beyond: nothing is known of it, so its first answers are awaited shortly', { inFlight: 43 }, of(43), 43, { kind: 'hold', holdMs: 50 }],
    ['the same, and they have not come', { inFlight: 43, oldestMs: 51 }, of(43), 43, { kind: 'defer' }],
    ['a fast one beyond its share waits in its slot', { inFlight: 43, latencyMs: 20, oldestMs: 30 }, of(43), 43, { kind: 'hold', holdMs: 250 }],
    ['but not behind too many others', { inFlight: 10, held: 130, latencyMs: 20 }, of(80), 95, { kind: 'defer' }],
    ['a slow one is deferred at once', { inFlight: 43, latencyMs: 5_000, oldestMs: 10 }, of(43), 43, { kind: 'defer' }],
    ['one that was fast and hangs now, too', { inFlight: 43, latencyMs: 20, oldestMs: 251 }, of(43), 43, { kind: 'defer' }],
    ['a newcomer beside a slow host', {}, idle, 50, { kind: 'start' }],
    ['a newcomer inside a host that has a slow endpoint', {}, of(43), 43, { kind: 'start' }],
    ['two are always allowed to a host, however full it is', { inFlight: 1, latencyMs: 5_000, oldestMs: 4_000 }, of(1), 100, { kind: 'start' }],
    ['the third is not', { inFlight: 2, latencyMs: 5_000, oldestMs: 4_000 }, of(2), 100, { kind: 'defer' }],
    ['an endpoint with one send, although its host has used up its share', { inFlight: 1, latencyMs: 20 }, of(50), 50, { kind: 'start' }],
    ['not where it is slow', { inFlight: 1, latencyMs: 5_000, oldestMs: 10 }, of(50), 50, { kind: 'defer' }],
    ['not where its first send is not answered in time', { inFlight: 1, oldestMs: 50 }, of(50), 50, { kind: 'hold', holdMs: 50 }],
    ['not where the others of its host have gone beyond the share already', { latencyMs: 20 }, of(53), 53, { kind: 'hold', holdMs: 250 }],
    ['not into the last two slots, which are for a host that has none', { latencyMs: 20 }, of(3), 98, { kind: 'hold', holdMs: 250 }],
  ];
  for (const [name, given, host, total, expected] of cases) {
    it(name, () => expect(mayStart(load(given), host, total, rules)).to.deep.equal(expected));
  }

  it('leaves room for a newcomer, whatever number of slow hosts fill up as far as they may', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 100, max: 1_000 }), (hosts, slots) => {
      const worker = new Simulation(Array.from({ length: hosts }, (_, host) => ({ host, inFlight: 0, latencyMs: 5_000 })), slots);
      worker.fill();
      const counts = worker.endpoints.map(({ inFlight }) => inFlight);
      expect(slots - worker.total, 'free').to.be.at.least(Math.floor(slots / (hosts + 1)) - 1);
      expect(Math.max(...counts) - Math.min(...counts), 'alike').to.be.at.most(3);
    }));
  });

  it('gives a lone endpoint at least four fifths of half the slots', () => {
    for (const slots of [50, 100, 200, 1_000]) {
      const worker = new Simulation([{ host: 0, inFlight: 0, latencyMs: 5_000 }], slots);
      worker.fill();
      expect(worker.total, String(slots)).to.be.at.least((slots / 2) * 0.8);
    }
  });

  it('leaves slots to another host, however many endpoints of one host were never heard of', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 1_200 }), fc.integer({ min: 20, max: 1_000 }), (endpoints, slots) => {
      const worker = new Simulation([...Array.from({ length: endpoints }, () => ({ host: 0, inFlight: 0, latencyMs: undefined })), { host: 1, inFlight: 0, latencyMs: undefined }], slots);
      worker.fill(worker.endpoints.slice(0, -1));
      expect(slots - worker.total, 'free').to.be.at.least(Math.floor(slots / 2) - Math.max(2, Math.floor(slots / 16)) - 1);
      const newcomer = worker.endpoints.at(-1);
      expect(newcomer !== undefined && worker.mayStart(newcomer)).to.equal(true);
    }), { numRuns: 30 });
  });

  it('lets a fast endpoint start beside 20 slow ones of its host', () => {
    for (const slots of [50, 100, 200, 1_000]) {
      const slow = Array.from({ length: 20 }, () => ({ host: 0, inFlight: 0, latencyMs: 5_000 }));
      const fast = { host: 0, inFlight: 0, latencyMs: 5 };
      const worker = new Simulation([...slow, fast], slots);
      worker.fill(slow);
      worker.fill([fast]);
      expect(fast.inFlight, String(slots)).to.be.at.least(1);
    }
  });
});

describe('roomOfEndpoint and roomOfHost', () => {
  it('are how many more may start, one after the other', () => {
    const anyLoad = fc.record({ endpoint: fc.nat(120), others: fc.nat(120), elsewhere: fc.nat(120), window: fc.integer({ min: 1, max: 200 }), hostWindow: fc.integer({ min: 1, max: 200 }), latencyMs: fc.constantFrom(undefined, 5, 5_000) });
    fc.assert(fc.property(anyLoad, ({ endpoint, others, elsewhere, window, hostWindow, latencyMs }) => {
      let started = 0;
      const at = (): [EndpointLoad, HostLoad, number, BulkheadRules] => [
        load({ inFlight: endpoint + started, window, latencyMs }),
        { inFlight: endpoint + others + started, window: hostWindow },
        endpoint + others + elsewhere + started,
        rules,
      ];
      const [roomOfFlow, roomOfAll, isHostOpen] = [roomOfEndpoint(...at()), roomOfHost(...(at().slice(1) as [HostLoad, number, BulkheadRules])), hasHostRoom(...(at().slice(1) as [HostLoad, number, BulkheadRules]))];
      while (hasRoom(...at())) started += 1;
      // One more may start where the share ends and the minimum begins, and where few slots are left each start takes one, not two.
      if (endpoint + others + elsewhere + roomOfFlow < rules.slots - 2) expect(started - Math.max(0, roomOfFlow)).to.be.within(0, 2);
      if (started > 0) expect([roomOfFlow > 0, roomOfAll > 0, isHostOpen]).to.deep.equal([true, true, true]);
    }));
  });
});

describe('threshold', () => {
  it('is what is free, and never less than the minimum', () => {
    expect([0, 40, 98, 99, 250].map((total) => threshold(total, rules))).to.deep.equal([100, 60, 2, 2, 2]);
  });
});

describe('endingSoon', () => {
  it('is those of a fast destination that end within 20 ms', () => {
    const of = (inFlight: number, latencyMs: number | undefined): number => endingSoon({ inFlight, latencyMs, isHanging: false }, rules);
    expect([of(100, 50), of(100, 250), of(1, 250), of(100, 3), of(0, 3)]).to.deep.equal([40, 8, 1, 100, 0]);
    expect([of(100, undefined), of(100, 251), of(100, 5_000)], 'unknown or slow').to.deep.equal([0, 0, 0]);
    expect(endingSoon({ inFlight: 100, latencyMs: 50, isHanging: true }, rules), 'it was fast').to.equal(0);
  });
});

describe('averageLatencyMs', () => {
  it('begins with the first value and follows a change within some ten sends', () => {
    expect(averageLatencyMs(undefined, 30)).to.equal(30);
    let average = 10;
    for (let nth = 0; nth < 10; nth += 1) average = averageLatencyMs(average, 1_000);
    expect(average).to.be.within(800, 1_000);
  });
});
