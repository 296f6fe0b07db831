import { expect } from 'chai';
import { Redis } from 'ioredis';

import { paceShareLua } from '../../../../../shared/queue/bulk-actions/bulk-action-scripts.js';
import { testRedisAddress } from '../../../../support/redis.js';

const WINDOW_MS = 10_000;
/** As in bulk-runner.ts. */
const [TASKS_PER_STEP, STEP_PAUSE_MS, LOOK_EVERY_MS] = [100, 5, 200];

/** The rule, with what Redis keeps of it handed in and out. */
const RULE = `${paceShareLua}
local granted, at = paceShare(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return {granted, string.format('%.3f', at)}`;

interface Started {
  readonly atMs: number;
  readonly count: number;
}

interface Course {
  readonly workers: number;
  readonly seconds: number;
  /** Tasks a second at a time. */
  readonly rateAt: (ms: number) => number;
  /** How much later a worker comes than it meant to, at most, ms. */
  readonly lateMs: number;
  /** No worker comes in this time. */
  readonly gap?: readonly [fromMs: number, toMs: number];
  /** The share of tasks that turn out to be others by now, so that they use up nothing. */
  readonly skipped?: number;
}

describe('the rate of a bulk action', () => {
  let redis: Redis;
  before(() => {
    redis = new Redis(testRedisAddress());
  });
  after(async () => {
    await redis.quit();
  });

  /** Workers that take turns as the real ones do, by a clock that is a number. */
  async function startsOf({ workers, seconds, rateAt, lateMs, gap = [0, 0], skipped = 0 }: Course): Promise<readonly Started[]> {
    const random = randomFrom(workers * 7_919 + seconds);
    const comesAt = Array.from({ length: workers }, () => random() * LOOK_EVERY_MS);
    const unused = Array.from({ length: workers }, () => 0);
    const started: Started[] = [];
    let paceAt = '';
    for (let rate = rateAt(0); ; ) {
      const now = Math.min(...comesAt);
      const worker = comesAt.indexOf(now);
      if (now > seconds * 1_000) return started;
      if (now >= gap[0] && now < gap[1]) {
        comesAt[worker] = gap[1] + random() * LOOK_EVERY_MS;
        continue;
      }
      // A new rate begins anew, as krsBulkChange does it.
      if (rateAt(now) !== rate) [rate, paceAt] = [rateAt(now), ''];
      const reply: unknown = await redis.eval(RULE, 0, now, rate, paceAt, TASKS_PER_STEP, unused[worker] ?? 0);
      // The script's own answer.
      const [granted, at] = reply as [number, string];
      paceAt = at;
      const count = Array.from({ length: granted }).filter(() => random() >= skipped).length;
      unused[worker] = granted - count;
      if (count > 0) started.push({ atMs: now, count });
      const pauseMs = granted > 0 ? STEP_PAUSE_MS : Math.min(LOOK_EVERY_MS, Math.max(STEP_PAUSE_MS, Number(at) - now));
      comesAt[worker] = now + pauseMs + random() * lateMs;
    }
  }

  const courses: readonly (readonly [name: string, course: Course])[] = [
    ['one worker', { workers: 1, seconds: 30, rateAt: () => 500, lateMs: 10 }],
    ['four workers', { workers: 4, seconds: 24, rateAt: () => 500, lateMs: 20 }],
    ['three workers that come up to 100 ms late', { workers: 3, seconds: 40, rateAt: () => 200, lateMs: 100 }],
    ['a rate of one task in two seconds', { workers: 2, seconds: 90, rateAt: () => 0.5, lateMs: 20 }],
    ['a rate of thousands a second', { workers: 3, seconds: 16, rateAt: () => 4_000, lateMs: 10 }],
    ['a third of the tasks being others by now', { workers: 2, seconds: 30, rateAt: () => 300, lateMs: 10, skipped: 1 / 3 }],
  ];
  for (const [name, course] of courses) {
    it(`is kept within 5 % over any 10 s, with ${name}`, async () => {
      const windows = windowsOf(await startsOf(course), 0, course.seconds * 1_000);
      expect(windows.length).to.be.greaterThan(10);
      const wanted = (course.rateAt(0) * WINDOW_MS) / 1_000;
      // A window of few tasks begins or ends beside one of them.
      expect(Math.min(...windows), 'the fewest').to.be.at.least(Math.min(wanted * 0.95, wanted - 1));
      expect(Math.max(...windows), 'the most').to.be.at.most(Math.max(wanted * 1.05, wanted + 1));
    }).timeout(60_000);
  }

  it('makes up for no more than 5 % of 10 s after a time in which no worker came', async () => {
    const started = await startsOf({ workers: 2, seconds: 30, rateAt: () => 500, lateMs: 10, gap: [9_000, 12_000] });
    const windows = windowsOf(started, 0, 30_000);
    expect(Math.max(...windows)).to.be.at.most(5_250);
    expect(Math.min(...windowsOf(started, 12_500, 30_000)), 'and goes on at its rate').to.be.at.least(4_750);
  }).timeout(60_000);

  it('is the new one from the moment of its change', async () => {
    const started = await startsOf({ workers: 3, seconds: 45, rateAt: (ms) => (ms < 15_000 ? 100 : ms < 30_000 ? 800 : 50), lateMs: 20 });
    for (const [from, rate] of [[0, 100], [15_000, 800], [30_000, 50]] as const) {
      const windows = windowsOf(started, from, from + 15_000);
      expect([Math.min(...windows) >= rate * 9.5, Math.max(...windows) <= rate * 10.5], `${rate}/s: ${Math.min(...windows)} to ${Math.max(...windows)}`).to.deep.equal([true, true]);
    }
  }).timeout(60_000);
});

/** How many tasks started in each window of 10 s of a span: those that begin with a start, and those that begin right behind it. */
function windowsOf(started: readonly Started[], fromMs: number, toMs: number): readonly number[] {
  const counts: number[] = [];
  const within = started.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  let [end, sum] = [0, 0];
  for (const { atMs, count } of within) {
    if (atMs + WINDOW_MS > toMs) break;
    for (let next = within[end]; next !== undefined && next.atMs < atMs + WINDOW_MS; next = within[end]) {
      sum += next.count;
      end += 1;
    }
    counts.push(sum, sum - count);
    sum -= count;
  }
  return counts;
}

/** Numbers in [0, 1), the same in each run. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
