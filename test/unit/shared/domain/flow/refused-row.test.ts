import { expect } from 'chai';

import { defaultCircuitRules as rules, Health } from '../../../../../shared/domain/flow/circuit.js';
import { HostHealth } from '../../../../../shared/domain/flow/host-health.js';
import { refusalOf, type Refusal } from '../../../../../shared/domain/flow/refused-row.js';

/** What the circuits go by: one endpoint, or a host with an endpoint for each send. */
interface Seen {
  answered(at: number): void;
  /** @returns whether the circuit opens */
  refused(nth: number, at: number, refusal: Refusal): boolean;
  forget(): void;
}

const kinds: Readonly<Record<string, () => Seen>> = {
  'an endpoint': () => {
    const health = new Health();
    return { answered: (at) => void health.note(0, '', at, rules), refused: (nth, at, refusal) => health.note(1, `t${nth}`, at, rules, 1, refusal), forget: () => health.forget() };
  },
  'a host with many paths': () => {
    const health = new HostHealth();
    return { answered: (at) => health.noteAnswer(at, rules), refused: (nth, at, refusal) => health.noteEndpointFailure(`/path-${nth}`, 1, `t${nth}`, at, rules, 1, refusal), forget: () => health.forget() };
  },
};

/** A send each 5 ms from `from` on. @param isTaken by the receiver, `ms` behind the beginning @returns when the circuit opened; each time a probe that is taken closes it, 2 s later at the earliest */
function openings(seen: Seen, refusal: Refusal, { from = 0, forMs, isTaken }: { readonly from?: number; readonly forMs: number; readonly isTaken: (ms: number) => boolean }): number[] {
  const opened: number[] = [];
  for (let ms = 0, nth = 0; ms < forMs; ms += 5, nth += 1) {
    if (isTaken(ms)) {
      seen.answered(from + ms);
    } else if (seen.refused(nth, from + ms, refusal)) {
      opened.push(ms);
      seen.forget();
      ms += 2_000;
      while (ms < forMs && !isTaken(ms)) ms += 5;
    }
  }
  return opened;
}

/** It takes the first 50 sends of each second. */
const takesFifty = (ms: number): boolean => ms % 1_000 < 250;

for (const [kind, see] of Object.entries(kinds)) {
  describe(`a row of refusals, of ${kind}`, () => {
    it('opens no circuit of a receiver that takes so many a second and says 429', () => {
      expect(openings(see(), 'limit', { forMs: 30_000, isTaken: takesFifty })).to.deep.equal([]);
    });

    it('opens the circuit once of one that says 503, which shows then that it only limits', () => {
      expect(openings(see(), 'maybe_limit', { forMs: 30_000, isTaken: takesFifty })).to.have.length(1);
    });

    it('opens the circuit as every row does where a receiver that was well says 503 for the first time', () => {
      const seen = see();
      seen.answered(0);
      expect(openings(seen, 'maybe_limit', { from: 5, forMs: 1_000, isTaken: () => false })[0]).to.equal((rules.failuresInARow - 1) * 5);
    });

    for (const refusal of ['limit', 'maybe_limit'] as const) {
      it(`opens the circuit within a second of one that only limited, and now refuses everything, ${refusal}`, () => {
        const seen = see();
        openings(seen, refusal, { forMs: 20_000, isTaken: takesFifty });
        seen.answered(20_000);
        expect(openings(seen, refusal, { from: 20_005, forMs: 5_000, isTaken: () => false })[0]).to.be.within(900, 1_000);
      });

      it(`opens the circuit as every row does of one that answered nothing else, ${refusal}`, () => {
        const [first] = openings(see(), refusal, { forMs: 1_000, isTaken: () => false });
        expect(first).to.be.at.most((rules.failuresInARow - 1) * 5);
      });
    }

    it('forgets in a minute that 503 was a limit', () => {
      const seen = see();
      openings(seen, 'maybe_limit', { forMs: 10_000, isTaken: takesFifty });
      seen.answered(10_000);
      for (let at = 10_000; at < 75_000; at += 100) seen.answered(at);
      expect(openings(seen, 'maybe_limit', { from: 75_000, forMs: 1_000, isTaken: () => false })[0]).to.equal((rules.failuresInARow - 1) * 5);
    });
  });
}

describe('refusalOf', () => {
  it('is for 429 and 503 alone', () => {
    expect([refusalOf('http_busy', 429), refusalOf('http_busy', 503), refusalOf('http_server_error', 502), refusalOf('timed_out', undefined)]).to.deep.equal(['limit', 'maybe_limit', undefined, undefined]);
  });
});
