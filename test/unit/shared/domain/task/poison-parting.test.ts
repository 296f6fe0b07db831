import { expect } from 'chai';

import { readProgress, type LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import { decideOutcome, defaultReleasePolicy, defaultStallPolicy, type OutcomeRules } from '../../../../../shared/domain/task/outcome.js';
import { domainTask } from '../../../../support/tasks.js';

const rules: OutcomeRules = { dead: { attempts: 10, baseDelayMs: 1_000, maxDelayMs: 300_000 }, stall: defaultStallPolicy, release: defaultReleasePolicy, longestUncountedMs: 900_000 };
const task = domainTask();
/** LOCK_DURATION and one STALL_CHECK_INTERVAL: from the death of a worker until its tasks are back. */
const TAKEN_OVER_AFTER_MS = 20_000;
/** How long a worker lives with the killer in its hands. */
const KILLS_AFTER_MS = 100;

interface Suspect {
  stalls: number;
  sentAt: number;
}

/** When it is sent again after one more stall; undefined: it is taken for the killer. */
function sentAgainAfterMs(stalls: number, random: () => number): number | undefined {
  const log: LogEntry[] = [];
  const start = decideOutcome({ kind: 'fetched', stalls }, task, readProgress(log, 1), rules, random());
  switch (start.kind) {
    case 'send': return 0;
    case 'release': return start.delayMs;
    default: return undefined;
  }
}

/**
 * The worst there is: one worker, and a hundred tasks that each hold their slot for 30 s beside the killer.
 * @returns how many of the hundred are taken for the killer
 */
function innocentsHeldGuilty(random: () => number): number {
  const killer: Suspect = { stalls: 0, sentAt: 0 };
  let innocents = Array.from({ length: 100 }, (): Suspect => ({ stalls: 0, sentAt: 0 }));
  let guilty = 0;
  for (;;) {
    const diedAt = killer.sentAt + KILLS_AFTER_MS;
    innocents = innocents.filter(({ sentAt }) => sentAt + 30_000 > diedAt);
    const died = innocents.filter(({ sentAt }) => sentAt <= diedAt);
    const isOver = [killer, ...died].map((suspect) => {
      suspect.stalls += 1;
      const waitMs = sentAgainAfterMs(suspect.stalls, random);
      if (waitMs === undefined) return true;
      suspect.sentAt = diedAt + TAKEN_OVER_AFTER_MS + waitMs;
      return false;
    });
    guilty += isOver.slice(1).filter(Boolean).length;
    if (isOver[0] === true) return guilty;
  }
}

/** Numbers that look random and are the same every time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('a task that kills its worker every time', () => {
  it('is parted from tasks that die with it: hardly ever does one of them get to the twelfth stall', () => {
    const random = randomFrom(1);
    const guilty = Array.from({ length: 500 }, () => innocentsHeldGuilty(random)).reduce((sum, count) => sum + count, 0);
    expect(guilty / (500 * 100), 'share of innocents').to.be.below(0.0005);
  });
});
