import { expect } from 'chai';
import fc from 'fast-check';

import { delayBeforeAttemptMs, growingDelayMs, wholeMs } from '../../../../shared/domain/retry-policy.js';

const HOUR = 3_600_000;
const DAY = 86_400_000;

describe('delayBeforeAttemptMs', () => {
  const table: readonly (readonly [base: number, cap: number, attempt: number, delay: number])[] = [
    [10_000, HOUR, 1, 10_000],
    [10_000, HOUR, 2, 20_000],
    [10_000, HOUR, 3, 40_000],
    [10_000, HOUR, 4, 80_000],
    [10_000, HOUR, 9, 42 * 60_000 + 40_000],
    [10_000, HOUR, 10, HOUR],
    [10_000, HOUR, 100, HOUR],
    [500, DAY, 1, 500],
    [500, DAY, 2, 1_000],
    [500, DAY, 3, 2_000],
    [500, DAY, 4, 4_000],
    [500, DAY, 5, 8_000],
    [0.5, DAY, 1, 1],
    [0.5, DAY, 2, 1],
    [0.5, DAY, 3, 2],
    [0.5, DAY, 4, 4],
    // A base above the cap waits the cap.
    [5_000, 1_000, 1, 1_000],
    // 2 ** 1099 is Infinity: the cap must not become one.
    [1, DAY, 1_100, DAY],
    [86_400_000, DAY, 100, DAY],
  ];
  for (const [baseDelayMs, maxDelayMs, attempt, delay] of table) {
    it(`waits ${delay} ms before attempt ${attempt} with base ${baseDelayMs} and cap ${maxDelayMs}`, () => {
      expect(delayBeforeAttemptMs(attempt, { baseDelayMs, maxDelayMs })).to.equal(delay);
    });
  }

  const asked: readonly (readonly [retryAfter: number, delay: number, why: string])[] = [
    [0, 10_000, 'nothing asked for'],
    [9_999, 10_000, 'less than the backoff is no reason to be early'],
    [10_001, 10_001, 'more than the backoff is obeyed'],
    [HOUR, HOUR, 'as long as the cap'],
    [HOUR + 1, HOUR, 'never past the cap'],
    [Number.MAX_SAFE_INTEGER, HOUR, 'never past the cap, however long'],
  ];
  for (const [retryAfterMs, delay, why] of asked) {
    it(`waits ${delay} ms when the receiver asks for ${retryAfterMs} ms: ${why}`, () => {
      expect(delayBeforeAttemptMs(1, { baseDelayMs: 10_000, maxDelayMs: HOUR }, retryAfterMs)).to.equal(delay);
    });
  }

  for (const attempt of [0, -1, 0.5, NaN]) {
    it(`refuses attempt ${attempt}: a bug of the caller`, () => {
      expect(() => delayBeforeAttemptMs(attempt, { baseDelayMs: 1, maxDelayMs: 1 })).to.throw(RangeError);
    });
  }

  // Seconds as clients write them, in whole microseconds, up to the largest base delay and cap.
  const seconds = fc.integer({ min: 1, max: 86_400_000_000 }).map((microseconds) => ({ microseconds, ms: Number((microseconds / 1_000).toPrecision(12)) }));
  const policies = fc.record({ base: seconds, cap: seconds }).map(({ base, cap }) => ({ base, cap, policy: { baseDelayMs: base.ms, maxDelayMs: cap.ms } }));
  const attempts = fc.integer({ min: 1, max: 1_200 });

  it('is a whole finite number of at least 1 ms for any policy', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy }, attempt, retryAfterMs) => {
        const delay = delayBeforeAttemptMs(attempt, policy, retryAfterMs);
        expect(Number.isSafeInteger(delay)).to.equal(true);
        expect(delay).to.be.at.least(1);
      }),
    );
  });

  it('never shrinks from one attempt to the next', () => {
    fc.assert(
      fc.property(policies, attempts, ({ policy }, attempt) => {
        expect(delayBeforeAttemptMs(attempt + 1, policy)).to.be.at.least(delayBeforeAttemptMs(attempt, policy));
      }),
    );
  });

  it('is never above the cap, rounded up to a whole millisecond', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy, cap }, attempt, retryAfterMs) => {
        expect(delayBeforeAttemptMs(attempt, policy, retryAfterMs)).to.be.at.most(Math.ceil(cap.microseconds / 1_000));
      }),
    );
  });

  it('is exactly base * 2^(attempt - 1), capped, rounded up: reckoned in whole microseconds', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 101 }), ({ policy, base, cap }, attempt) => {
        const doubled = BigInt(base.microseconds) * 2n ** BigInt(attempt - 1);
        const exact = doubled < BigInt(cap.microseconds) ? doubled : BigInt(cap.microseconds);
        expect(delayBeforeAttemptMs(attempt, policy)).to.equal(Number((exact + 999n) / 1_000n));
      }),
    );
  });

  it('is never shorter than what the receiver asked for, as far as the cap allows', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy }, attempt, retryAfterMs) => {
        expect(delayBeforeAttemptMs(attempt, policy, retryAfterMs)).to.be.at.least(Math.min(retryAfterMs, policy.maxDelayMs));
      }),
    );
  });
});

describe('wholeMs', () => {
  const table: readonly (readonly [ms: number, whole: number])[] = [
    [0, 0],
    [1, 1],
    [70.00000000000001, 70],
    [70.001, 71],
    [1e-9, 1],
    [0.5, 1],
    [31_536_000_000, 31_536_000_000],
    [86_400_000.5, 86_400_001],
  ];
  for (const [ms, whole] of table) {
    it(`makes ${whole} of ${ms}`, () => {
      expect(wholeMs(ms)).to.equal(whole);
    });
  }

  it('never makes a wait shorter: any whole number of microseconds, up to the longest initial delay', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 31_536_000_000_000 }), (microseconds) => {
        expect(wholeMs(microseconds / 1_000)).to.equal(Math.ceil(microseconds / 1_000));
      }),
    );
  });
});

describe('growingDelayMs', () => {
  const policy = { baseDelayMs: 1_000, maxDelayMs: 300_000 };
  const table: readonly (readonly [repetition: number, random: number, delay: number])[] = [
    [0, 0, 1_000],
    [1, 0, 2_000],
    [2, 0, 4_000],
    [8, 0, 256_000],
    [9, 0, 300_000],
    [10_000, 0, 300_000],
    [0, 0.5, 750],
    [2, 0.5, 3_000],
  ];
  for (const [repetition, random, delay] of table) {
    it(`waits ${delay} ms at repetition ${repetition} with ${random} drawn`, () => {
      expect(growingDelayMs(repetition, policy, random)).to.equal(delay);
    });
  }

  it('is whole, at most the full wait and at least half of it, whatever is drawn', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (repetition, random) => {
        const full = growingDelayMs(repetition, policy, 0);
        const delay = growingDelayMs(repetition, policy, random);
        expect(Number.isSafeInteger(delay)).to.equal(true);
        expect(delay).to.be.within(full / 2, full);
      }),
    );
  });
});
