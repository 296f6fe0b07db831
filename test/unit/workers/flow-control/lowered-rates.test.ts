import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { RecentAnswers, refusalWeight } from '../../../../shared/domain/flow/recent-answers.js';
import { LoweredRates } from '../../../../workers/flow-control/lowered-rates.js';

const FLOW = flowNamed('https://api.example.com/orders', 'https://api.example.com');
const TICK_MS = 200;
const STEP_MS = 5;

/** What a receiver answers to its nth send, which comes at this time: 200, 429 or 503. */
type Receiver = (nth: number, at: number) => number;

/** It takes so many sends a second, a quarter of a second's worth at once, and refuses the others. */
function takes(perSecond: number, status = 429): Receiver {
  const most = Math.max(2, perSecond / 4);
  let tokens = most;
  let filledAt = 0;
  return (_nth, at) => {
    tokens = Math.min(most, tokens + ((at - filledAt) / 1_000) * perSecond);
    filledAt = at;
    if (tokens < 1) return status;
    tokens -= 1;
    return 200;
  };
}

interface Run {
  /** Sends in each second, by all workers together. */
  readonly sent: number[];
  readonly accepted: number[];
  /** Sends that wait for their turn at the end. */
  readonly waiting: number;
  /** Is one of the workers still held back? */
  readonly isLowered: boolean;
}

interface RunOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly workers?: number;
  readonly answersAfterMs?: number;
}

/** Workers as flow control has them, a clock that is moved on, and a receiver. A refused task comes again after a second. */
function run(receiver: Receiver, { perSecond, seconds, workers = 1, answersAfterMs = 20 }: RunOptions): Run {
  let now = 0;
  const fleet = Array.from({ length: workers }, () => ({ rates: new LoweredRates(() => now), answers: new RecentAnswers(), waiting: [] as string[], next: 0 }));
  const later = new Map<number, (() => void)[]>();
  const at = (time: number, action: () => void): void => {
    const due = time - (time % STEP_MS);
    const actions = later.get(due);
    if (actions === undefined) later.set(due, [action]);
    else actions.push(action);
  };
  const [sent, accepted] = [new Array<number>(seconds).fill(0), new Array<number>(seconds).fill(0)];
  let offered = 0;
  let nth = 0;
  const count = (counts: number[], time: number): void => { counts[Math.floor(time / 1_000)] = (counts[Math.floor(time / 1_000)] ?? 0) + 1; };
  for (; now < seconds * 1_000; now += STEP_MS) {
    for (const action of later.get(now) ?? []) action();
    later.delete(now);
    for (; offered < ((now + STEP_MS) / 1_000) * perSecond; offered += 1) fleet[offered % workers]?.waiting.push(`t${offered}`);
    for (const worker of fleet) {
      const { rates, answers, waiting } = worker;
      if (now % TICK_MS === 0) rates.recover();
      while (worker.next < waiting.length && rates.of(FLOW)?.take(now) !== false) {
        const task = waiting[worker.next] ?? '';
        worker.next += 1;
        const startedAt = now;
        const status = receiver((nth += 1), now);
        count(sent, now);
        if (status === 200) count(accepted, now);
        at(now + Math.max(STEP_MS, answersAfterMs), () => {
          const weight = status === 200 ? 0 : refusalWeight('http_busy', status);
          answers.note(weight, task, startedAt, now);
          rates.answered(FLOW, weight, startedAt, answers);
          if (status !== 200) at(now + 1_000, () => waiting.push(task));
        });
      }
    }
  }
  return { sent, accepted, waiting: fleet.reduce((sum, { waiting, next }) => sum + waiting.length - next, 0), isLowered: fleet.some(({ rates }) => rates.of(FLOW) !== undefined) };
}
/** Mean of the last so many seconds. */
function meanOfLast(counts: readonly number[], seconds: number): number {
  return counts.slice(-seconds).reduce((sum, count) => sum + count, 0) / seconds;
}

describe('LoweredRates', () => {
  /** The first so many answers are as `first` says, and then a part of them is refused, evenly. */
  const steady = (status: number, part: number, first: (nth: number) => boolean = () => false, firstFew = 12): Receiver => (nth) => ((nth <= firstFew ? first(nth) : Math.floor(nth * part) > Math.floor((nth - 1) * part)) ? status : 200);

  const shares: readonly (readonly [name: string, receiver: Receiver])[] = [
    ['8 % by 429', steady(429, 0.08)],
    ['8 % by 429, and half of the first 12', steady(429, 0.08, (nth) => nth % 2 === 1)],
    ['15 % by 429, and half of the first 12', steady(429, 0.15, (nth) => nth % 2 === 1)],
    ['20 % by 503, and two thirds of the first 12', steady(503, 0.2, (nth) => nth % 3 !== 0)],
    ['20 % by 503, and five sixths of the first 12', steady(503, 0.2, (nth) => nth % 6 !== 0)],
    ['45 % by 503', steady(503, 0.45)],
    ['45 % by 503, in blocks of 9 of 20', (nth) => (nth % 20 < 9 ? 503 : 200)],
  ];
  for (const [name, receiver] of shares) {
    for (const workers of [1, 2]) {
      it(`holds nothing back for long where fewer are refused than the limit says: ${name}, ${workers} workers`, () => {
        const { accepted, waiting, isLowered } = run(receiver, { perSecond: 25, seconds: 60, workers });
        expect(meanOfLast(accepted, 10)).to.be.closeTo(25, 1);
        expect([waiting, isLowered]).to.deep.equal([0, false]);
      });
    }
  }

  for (const takesPerSecond of [10, 100, 1_000]) {
    // The second of two workers comes always second here: where many are sent in one moment it is left nothing, and that is what the circuit is for.
    for (const workers of takesPerSecond < 1_000 ? [1, 2] : [1]) {
      for (const answersAfterMs of [20, 1_500]) {
        it(`sends a receiver that takes ${takesPerSecond} a second little more, and not much less: ${workers} workers, answers after ${answersAfterMs} ms`, () => {
          const { sent, accepted, isLowered } = run(takes(takesPerSecond), { perSecond: 3 * takesPerSecond, seconds: 60, workers, answersAfterMs });
          expect(isLowered).to.equal(true);
          expect(meanOfLast(sent, 30)).to.be.within(0.9 * takesPerSecond, 1.4 * takesPerSecond);
          expect(Math.max(...sent.slice(-30)), 'in any second').to.be.below(2 * takesPerSecond);
          expect(meanOfLast(accepted, 30)).to.be.above(0.75 * takesPerSecond);
        });
      }
    }
  }

  it('sends a receiver that refuses by 503 at most twice as much as it takes: half may be refused', () => {
    const { sent } = run(takes(50, 503), { perSecond: 500, seconds: 60 });
    expect(meanOfLast(sent, 30)).to.be.within(50, 110);
  });

  it('leads to about one a second where no more is taken', () => {
    const { sent } = run(takes(1), { perSecond: 5, seconds: 60 });
    expect(meanOfLast(sent, 30)).to.be.within(1, 2);
  });
});
