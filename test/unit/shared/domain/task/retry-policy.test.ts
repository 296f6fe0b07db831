import { expect } from 'chai';
import fc from 'fast-check';

import { delayBeforeAttemptMs, growingDelayMs, jitters, wholeMs, type Jitter } from '../../../../../shared/domain/task/retry-policy.js';

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
      expect(delayBeforeAttemptMs(attempt, { baseDelayMs, maxDelayMs, jitter: 'none' }, 0)).to.equal(delay);
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
      expect(delayBeforeAttemptMs(1, { baseDelayMs: 10_000, maxDelayMs: HOUR, jitter: 'none' }, 0, retryAfterMs)).to.equal(delay);
    });
  }

  for (const attempt of [0, -1, 0.5, NaN]) {
    it(`refuses attempt ${attempt}: a bug of the caller`, () => {
      expect(() => delayBeforeAttemptMs(attempt, { baseDelayMs: 1, maxDelayMs: 1, jitter: 'none' }, 0)).to.throw(RangeError);
    });
  }

  // Seconds as clients write them, in whole microseconds, up to the largest base delay and cap.
  const seconds = fc.integer({ min: 1, max: 86_400_000_000 }).map((microseconds) => ({ microseconds, ms: Number((microseconds / 1_000).toPrecision(12)) }));
  const policies = fc.record({ base: seconds, cap: seconds }).map(({ base, cap }) => ({ base, cap, policy: { baseDelayMs: base.ms, maxDelayMs: cap.ms, jitter: 'none' as const } }));
  const attempts = fc.integer({ min: 1, max: 1_200 });

  it('is a whole finite number of at least 1 ms for any policy', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy }, attempt, retryAfterMs) => {
        const delay = delayBeforeAttemptMs(attempt, policy, 0, retryAfterMs);
        expect(Number.isSafeInteger(delay)).to.equal(true);
        expect(delay).to.be.at.least(1);
      }),
    );
  });

  it('never shrinks from one attempt to the next', () => {
    fc.assert(
      fc.property(policies, attempts, ({ policy }, attempt) => {
        expect(delayBeforeAttemptMs(attempt + 1, policy, 0)).to.be.at.least(delayBeforeAttemptMs(attempt, policy, 0));
      }),
    );
  });

  it('is never above the cap, rounded up to a whole millisecond', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy, cap }, attempt, retryAfterMs) => {
        expect(delayBeforeAttemptMs(attempt, policy, 0, retryAfterMs)).to.be.at.most(Math.ceil(cap.microseconds / 1_000));
      }),
    );
  });

  it('is exactly base * 2^(attempt - 1), capped, rounded up: reckoned in whole microseconds', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 101 }), ({ policy, base, cap }, attempt) => {
        const doubled = BigInt(base.microseconds) * 2n ** BigInt(attempt - 1);
        const exact = doubled < BigInt(cap.microseconds) ? doubled : BigInt(cap.microseconds);
        expect(delayBeforeAttemptMs(attempt, policy, 0)).to.equal(Number((exact + 999n) / 1_000n));
      }),
    );
  });

  it('is never shorter than what the receiver asked for, as far as the cap allows', () => {
    fc.assert(
      fc.property(policies, attempts, fc.nat(), ({ policy }, attempt, retryAfterMs) => {
        expect(delayBeforeAttemptMs(attempt, policy, 0, retryAfterMs)).to.be.at.least(Math.min(retryAfterMs, policy.maxDelayMs));
      }),
    );
  });
});

describe('delayBeforeAttemptMs with jitter', () => {
  const table: readonly (readonly [jitter: Jitter, random: number, attempt: number, delay: number])[] = [
    ['none', 0, 1, 10_000],
    ['none', 0.999, 1, 10_000],
    ['equal', 0, 1, 5_000],
    ['equal', 0, 2, 10_000],
    ['equal', 0, 3, 20_000],
    ['equal', 0, 4, 20_000],
    ['equal', 0.5, 1, 7_500],
    ['equal', 0.5, 2, 15_000],
    ['equal', 0.5, 3, 30_000],
    ['equal', 0.5, 4, 30_000],
    ['equal', 0.999_999, 1, 10_000],
    ['full', 0, 1, 5_000],
    ['full', 0, 2, 10_000],
    ['full', 0, 3, 20_000],
    ['full', 0, 4, 20_000],
    ['full', 0.5, 1, 10_000],
    ['full', 0.5, 2, 20_000],
    // At the cap between half of it and all of it: not every second task at the cap itself.
    ['full', 0.5, 3, 30_000],
    ['full', 0.5, 4, 30_000],
    ['full', 0.9, 1, 14_000],
    ['full', 0.9, 3, 38_000],
    ['full', 0.999_999, 3, 40_000],
  ];
  for (const [jitter, random, attempt, delay] of table) {
    it(`${jitter}: waits ${delay} ms before attempt ${attempt} with ${random} drawn, base 10,000 and cap 40,000`, () => {
      expect(delayBeforeAttemptMs(attempt, { baseDelayMs: 10_000, maxDelayMs: 40_000, jitter }, random)).to.equal(delay);
    });
  }

  it('spreads full jitter over what the cap leaves of 3 d / 2', () => {
    const policy = { baseDelayMs: 10_000, maxDelayMs: 12_000, jitter: 'full' } as const;
    expect(delayBeforeAttemptMs(1, policy, 0.5)).to.equal(8_500);
  });

  it('waits a whole millisecond, rounded up, where half of the delay is none', () => {
    expect(delayBeforeAttemptMs(1, { baseDelayMs: 55, maxDelayMs: DAY, jitter: 'equal' }, 0)).to.equal(28);
    expect(delayBeforeAttemptMs(1, { baseDelayMs: 1, maxDelayMs: DAY, jitter: 'full' }, 0)).to.equal(1);
  });

  const asked: readonly (readonly [retryAfter: number, delay: number, why: string])[] = [
    [1, 5_000, 'less than what was drawn is no reason to be earlier'],
    [7_000, 7_000, 'more than what was drawn is obeyed, although less than the schedule'],
    [50_000, 40_000, 'never past the cap'],
  ];
  for (const jitter of ['equal', 'full'] as const) {
    for (const [retryAfterMs, delay, why] of asked) {
      it(`${jitter}: waits ${delay} ms when 5,000 ms were drawn and the receiver asks for ${retryAfterMs} ms: ${why}`, () => {
        expect(delayBeforeAttemptMs(1, { baseDelayMs: 10_000, maxDelayMs: 40_000, jitter }, 0, retryAfterMs)).to.equal(delay);
      });
    }
  }

  /** A policy in whole microseconds, what is drawn, and d reckoned exactly. */
  const drawn = fc
    .record({
      baseUs: fc.integer({ min: 1, max: 86_400_000_000 }),
      capUs: fc.integer({ min: 1, max: 86_400_000_000 }),
      attempt: fc.integer({ min: 1, max: 101 }),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      retryAfterMs: fc.oneof(fc.constant(0), fc.nat()),
    })
    .map(({ baseUs, capUs, attempt, random, retryAfterMs }) => {
      const doubledUs = BigInt(baseUs) * 2n ** BigInt(attempt - 1);
      const backoff = { baseDelayMs: Number((baseUs / 1_000).toPrecision(12)), maxDelayMs: Number((capUs / 1_000).toPrecision(12)) };
      return { backoff, attempt, random, retryAfterMs, capUs, exactUs: doubledUs < BigInt(capUs) ? Number(doubledUs) : capUs };
    });
  const upperUs: Readonly<Record<Jitter, (exactUs: number, capUs: number) => number>> = {
    none: (exactUs) => exactUs,
    equal: (exactUs) => exactUs,
    full: (exactUs, capUs) => Math.min(1.5 * exactUs, capUs),
  };
  for (const jitter of jitters) {
    it(`${jitter}: is whole and within its bounds for any policy, whatever is drawn`, () => {
      fc.assert(
        fc.property(drawn, ({ backoff, attempt, random, capUs, exactUs }) => {
          const delay = delayBeforeAttemptMs(attempt, { ...backoff, jitter }, random);
          const shortestUs = jitter === 'none' ? exactUs : exactUs / 2;
          expect(Number.isSafeInteger(delay)).to.equal(true);
          expect(delay).to.be.within(Math.ceil(shortestUs / 1_000), Math.ceil(upperUs[jitter](exactUs, capUs) / 1_000));
        }),
      );
    });

    it(`${jitter}: is never shorter than what the receiver asked for, nor past the cap`, () => {
      fc.assert(
        fc.property(drawn, ({ backoff, attempt, random, retryAfterMs, capUs }) => {
          const delay = delayBeforeAttemptMs(attempt, { ...backoff, jitter }, random, retryAfterMs);
          expect(delay).to.be.within(Math.min(retryAfterMs, backoff.maxDelayMs), Math.ceil(capUs / 1_000));
        }),
      );
    });

    it(`${jitter}: is never shorter than with 0 drawn`, () => {
      fc.assert(
        fc.property(drawn, ({ backoff, attempt, random }) => {
          const policy = { ...backoff, jitter };
          expect(delayBeforeAttemptMs(attempt, policy, random)).to.be.at.least(delayBeforeAttemptMs(attempt, policy, 0));
        }),
      );
    });
  }
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
