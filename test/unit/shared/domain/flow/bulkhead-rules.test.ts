import { expect } from 'chai';
import fc from 'fast-check';

import { averageLatencyMs, endingSoon, hasHostRoom, hasRoom, isFullOfUnproven, isQuick, mayStart, roomOfEndpoint, roomOfHost, speedOf, threshold, type BulkheadRules, type EndpointLoad, type HostLoad } from '../../../../../shared/domain/flow/bulkhead-rules.js';

const rules: BulkheadRules = { slots: 100, minimum: 2, holdMs: 250, firstHoldMs: 50 };

function load(changes: Partial<EndpointLoad>): EndpointLoad {
  return { inFlight: 0, held: 0, latencyMs: undefined, oldestMs: 0, isHanging: false, window: Infinity, refused: 0, ...changes };
}

/** One endpoint of one host, as the simulated worker below sees it. */
interface Simulated {
  readonly host: number;
  inFlight: number;
  readonly latencyMs: number | undefined;
}

/** Endpoints of hosts on one worker. All sends take for ever. */
class Simulation {
  readonly #hosts = new Map<number, { inFlight: number; unproven: number; tries: number }>();
  total = 0;

  /** @param refused tasks of each endpoint before its next send */
  constructor(
    readonly endpoints: readonly Simulated[],
    readonly slots: number,
    readonly refused = 0,
  ) {}

  mayStart(endpoint: Simulated): boolean {
    return mayStart(this.#load(endpoint), this.#host(endpoint.host), this.total, this.#rules).kind === 'start';
  }

  /** Each in its turn starts one send, until not one of them may. */
  fill(some = this.endpoints): void {
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      for (const endpoint of some) {
        if (this.total >= this.slots || !this.mayStart(endpoint)) continue;
        this.#start(endpoint);
        isMoving = true;
      }
    }
  }

  #start(endpoint: Simulated): void {
    const host = this.#host(endpoint.host);
    const isUnproven = !isQuick(this.#load(endpoint), rules);
    this.#hosts.set(endpoint.host, {
      inFlight: host.inFlight + 1,
      unproven: host.unproven + (isUnproven ? 1 : 0),
      tries: host.tries + (isUnproven && isFullOfUnproven(host, this.total, this.#rules) ? 1 : 0),
    });
    endpoint.inFlight += 1;
    this.total += 1;
  }

  #host(host: number): HostLoad {
    return { window: Infinity, hasFailed: false, ...(this.#hosts.get(host) ?? { inFlight: 0, unproven: 0, tries: 0 }) };
  }

  #load({ inFlight, latencyMs }: Simulated): EndpointLoad {
    const isKnownQuick = latencyMs !== undefined && latencyMs <= rules.holdMs;
    return load({ inFlight, latencyMs, oldestMs: inFlight > 0 && !isKnownQuick ? 5_000 : 0, refused: this.refused });
  }

  get #rules(): BulkheadRules {
    return { ...rules, slots: this.slots };
  }
}

describe('mayStart', () => {
  const idle = { inFlight: 0, window: Infinity, unproven: 0, tries: 0, hasFailed: false };
  const of = (inFlight: number, window = Infinity, unproven = inFlight, tries = 0, hasFailed = false): HostLoad => ({ inFlight, window, unproven, tries, hasFailed });
  const cases: readonly (readonly [name: string, load: Partial<EndpointLoad>, host: HostLoad, total: number, expected: ReturnType<typeof mayStart>])[] = [
    ['beyond what it has shown to bear, however many slots are free', { inFlight: 16, window: 16, latencyMs: 20 }, of(16), 16, { kind: 'hold', holdMs: 250 }],
    ['beyond what its host has shown to bear', { inFlight: 1, latencyMs: 20 }, of(16, 16), 16, { kind: 'hold', holdMs: 250 }],
    ['the first send of an endpoint, though a slow one has filled the window of the host', {}, of(16, 16), 16, { kind: 'start' }],
    ['the same of one that is known to be quick', { latencyMs: 20 }, of(16, 16), 16, { kind: 'start' }],
    ['the same of one that is known to be slow', { latencyMs: 5_000 }, of(16, 16), 16, { kind: 'defer' }],
    ['the second send of such an endpoint', { inFlight: 1 }, of(17, 16), 17, { kind: 'hold', holdMs: 50 }],
    ['the fourth try beyond the window', {}, of(19, 16), 19, { kind: 'start' }],
    ['a fifth one', {}, of(20, 16), 20, { kind: 'hold', holdMs: 50 }],
    ['the first send of an endpoint beyond the window of a host that fails', {}, of(16, 16, 16, 0, true), 16, { kind: 'hold', holdMs: 50 }],
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
    ['not where the others of its host have gone beyond the share already', { latencyMs: 20 }, of(57), 57, { kind: 'hold', holdMs: 250 }],
    ['a slow one of many, up to six thirteenths of the slots for all of them', { latencyMs: 5_000 }, of(46), 46, { kind: 'start' }],
    ['and not beyond', { latencyMs: 5_000 }, of(47), 47, { kind: 'defer' }],
    ['a quick one beside as many', { latencyMs: 20 }, of(47), 47, { kind: 'start' }],
    ['one that was never heard of, beside as many, not with its first task', {}, of(47), 47, { kind: 'defer' }],
    ['but with its third, to try it', { refused: 2 }, of(47), 47, { kind: 'start' }],
    ['not with the third where another one is tried already', { refused: 2 }, of(48, Infinity, 48, 1), 48, { kind: 'defer' }],
    ['with more of them, however, it is', { refused: 7 }, of(48, Infinity, 48, 1), 48, { kind: 'start' }],
    ['not beyond the slots that are kept for quick ones', { refused: 1_000_000 }, of(53, Infinity, 53, 4), 53, { kind: 'defer' }],
    ['not with two at once', { refused: 1_000_000, inFlight: 1 }, of(47), 47, { kind: 'hold', holdMs: 50 }],
    ['one that took almost a second is tried, as the worker may have been busy', { refused: 2, latencyMs: 900 }, of(47), 47, { kind: 'start' }],
    ['not one that took longer', { refused: 2, latencyMs: 1_100 }, of(47), 47, { kind: 'defer' }],
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
    fc.assert(fc.property(fc.integer({ min: 1, max: 1_200 }), fc.integer({ min: 20, max: 1_000 }), fc.constantFrom(0, 1_000_000), (endpoints, slots, refused) => {
      const worker = new Simulation([...Array.from({ length: endpoints }, () => ({ host: 0, inFlight: 0, latencyMs: undefined })), { host: 1, inFlight: 0, latencyMs: undefined }], slots, refused);
      worker.fill(worker.endpoints.slice(0, -1));
      expect(slots - worker.total, 'free').to.be.at.least(Math.floor(slots / 2) - Math.max(2, Math.floor(slots / 16)) - 1);
      const newcomer = worker.endpoints.at(-1);
      expect(newcomer !== undefined && worker.mayStart(newcomer)).to.equal(true);
    }), { numRuns: 30 });
  });

  it('lets a fast endpoint have several sends beside any number of its host that are slow or were never heard of', () => {
    for (const slots of [20, 50, 100, 200, 1_000]) {
      for (const latencyMs of [5_000, undefined]) {
        for (const count of [1, 20, 150, 600]) {
          const slow = Array.from({ length: count }, () => ({ host: 0, inFlight: 0, latencyMs }));
          const fast = { host: 0, inFlight: 0, latencyMs: 5 };
          const worker = new Simulation([...slow, fast], slots, 1_000_000);
          worker.fill(slow);
          worker.fill([fast]);
          expect(fast.inFlight, `${slots} slots, ${count} of ${latencyMs ?? 'no'} ms`).to.be.at.least(Math.max(2, Math.floor(slots / 32)));
        }
      }
    }
  });
});

describe('roomOfEndpoint and roomOfHost', () => {
  it('are how many more may start, one after the other', () => {
    const anyLoad = fc.record({ endpoint: fc.nat(120), quick: fc.nat(60), unproven: fc.nat(60), tries: fc.nat(5), elsewhere: fc.nat(120), window: fc.integer({ min: 1, max: 200 }), hostWindow: fc.integer({ min: 1, max: 200 }), latencyMs: fc.constantFrom(undefined, 5, 5_000), refused: fc.constantFrom(0, 10, 1_000_000), hasFailed: fc.boolean() });
    fc.assert(fc.property(anyLoad, ({ endpoint, quick, unproven, tries, elsewhere, window, hostWindow, latencyMs, refused, hasFailed }) => {
      let started = 0;
      const at = (): [EndpointLoad, HostLoad, number, BulkheadRules] => [
        load({ inFlight: endpoint + started, window, latencyMs, refused }),
        { inFlight: endpoint + quick + unproven + started, window: hostWindow, unproven: unproven + (latencyMs === 5 ? 0 : endpoint + started), tries, hasFailed },
        endpoint + quick + unproven + elsewhere + started,
        rules,
      ];
      const [, ...ofHost] = at();
      const [roomOfFlow, roomOfAll, isHostOpen] = [roomOfEndpoint(...at()), roomOfHost(...at()), hasHostRoom(...ofHost)];
      while (hasRoom(...at())) started += 1;
      // A few more may start where the share ends and the minimum begins, and where few slots are left each start takes one, not two.
      if (endpoint + quick + unproven + elsewhere + roomOfFlow < rules.slots - 2) expect(started - Math.max(0, roomOfFlow)).to.be.within(0, 3);
      if (started > 0) expect([roomOfFlow > 0, roomOfAll > 0, isHostOpen]).to.deep.equal([true, true, true]);
    }), { numRuns: 2_000 });
  });
});

describe('speedOf', () => {
  it('takes an endpoint for quick only when it has answered within the time that a task is held for', () => {
    const of = (latencyMs: number | undefined, oldestMs = 0, isHanging = false): string => speedOf({ latencyMs, oldestMs, isHanging }, rules);
    expect([of(250), of(251), of(5, 300, true)]).to.deep.equal(['quick', 'slow', 'slow']);
    expect([of(undefined), of(undefined, 49), of(undefined, 50)]).to.deep.equal(['unknown', 'unknown', 'slow']);
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

  it('follows faster where sends get faster: three of them show that a first one was measured by a busy worker', () => {
    expect([5, 5, 5].reduce((average, ms) => averageLatencyMs(average, ms), 1_000)).to.be.below(250);
  });
});
