import { expect } from 'chai';

import type { PendingCall } from '../../../../../shared/queue/engine/pending-calls.js';
import { afterRebuild, firstMemory, isSuspicious, judgeShard, standstillTimes, type ShardInRedis, type ShardLook, type ShardMemory, type Verdict } from '../../../../../shared/queue/engine/shard-standstill.js';

const SECOND = 1_000;
const { lookMs } = standstillTimes;
/** Redis' clock when the process' monotonic clock stands at 0. */
const EPOCH = 1_700_000_000_000;

interface Changes extends Partial<Omit<ShardLook, 'now' | 'redis'>> {
  readonly redis?: Partial<ShardInRedis> | undefined;
  /** Redis does not answer. */
  readonly isSilent?: boolean;
}

/** Looks at a worker every 2 s, as the watchdog does: Redis is asked when something is suspicious. */
class Watch {
  memory: ShardMemory = firstMemory(0);
  now = 0;

  /** @returns the last verdict */
  look(seconds: number, changes: Changes | ((now: number) => Changes)): Verdict {
    let verdict: Verdict = { kind: 'fine' };
    for (const end = this.now + seconds * SECOND; this.now < end && verdict.kind === 'fine'; ) {
      this.now += lookMs;
      verdict = this.once(typeof changes === 'function' ? changes(this.now) : changes);
    }
    return verdict;
  }

  once({ redis, isSilent = false, ...seen }: Changes): Verdict {
    const look = { now: this.now, clock: EPOCH + this.now, isBraking: false, refusedAt: -Infinity, hasFreeSlot: true, taken: 0, waitsEnded: 0, oldestCall: undefined, ...seen };
    const answer: ShardInRedis = { now: EPOCH + this.now, oldestDueAt: undefined, next: undefined, isHeld: false, ...redis };
    const isAsked = isSuspicious(this.memory, look, standstillTimes);
    const { verdict, memory } = judgeShard(this.memory, { ...look, redis: isAsked && !isSilent ? answer : undefined }, standstillTimes);
    this.memory = verdict.kind === 'rebuild' ? afterRebuild(memory, this.now) : memory;
    return verdict;
  }
}

const waitSince = (since: number): PendingCall => ({ kind: 'wait', since, blockMs: 5 * SECOND });
const fetchSince = (since: number): PendingCall => ({ kind: 'fetch', since, blockMs: 0 });
const dueAt = (ms: number): { oldestDueAt: number } => ({ oldestDueAt: EPOCH + ms });

describe('judgeShard', () => {
  describe('a call that hangs', () => {
    it('is found when a wait is 5 s longer than it blocks, in two looks', () => {
      const watch = new Watch();
      const oldestCall = waitSince(0);
      expect(watch.look(10, { oldestCall }).kind).to.equal('fine');
      expect(watch.look(10, { oldestCall })).to.deep.equal({ kind: 'rebuild', reason: 'a wait has been pending for 12 s' });
    });

    it('is found when a fetch takes 5 s', () => {
      const watch = new Watch();
      expect(watch.look(60, { oldestCall: fetchSince(0) })).to.deep.equal({ kind: 'rebuild', reason: 'a fetch has been pending for 8 s' });
    });

    it('is not found while waits come and go', () => {
      expect(new Watch().look(120, (now) => ({ oldestCall: waitSince(now - 4 * SECOND), waitsEnded: now })).kind).to.equal('fine');
    });

    it('is not found in one look alone: after a stall of the process the answer is read right after it', () => {
      const watch = new Watch();
      watch.look(4, { oldestCall: waitSince(0) });
      watch.now += 40 * SECOND;
      expect(watch.once({ oldestCall: waitSince(0) }).kind).to.equal('fine');
      expect(watch.look(2, { oldestCall: waitSince(watch.now) }).kind).to.equal('fine');
    });

    it('does not count while Redis does not answer: the call waits for the same', () => {
      expect(new Watch().look(120, { oldestCall: fetchSince(0), isSilent: true }).kind).to.equal('fine');
    });
  });

  describe('a task that is due', () => {
    it('is found after 30 s in which the worker was idle', () => {
      const watch = new Watch();
      expect(watch.look(28, { redis: dueAt(0) }).kind).to.equal('fine');
      expect(watch.look(10, { redis: dueAt(0) })).to.deep.equal({ kind: 'rebuild', reason: 'a task has been due for 30 s while slots are free' });
    });

    it('is found when the same job stays the next one, wherever it stands', () => {
      const watch = new Watch();
      expect(watch.look(58, { redis: { next: 't-1' } }).kind).to.equal('fine');
      expect(watch.look(10, { redis: { next: 't-1' } }).kind).to.equal('rebuild');
    });

    it('is not found while another worker takes the next ones', () => {
      expect(new Watch().look(300, (now) => ({ redis: { next: `t-${now}` } })).kind).to.equal('fine');
    });

    it('is not found while this worker takes jobs, however old the oldest is: it works off what has piled up', () => {
      expect(new Watch().look(300, (now) => ({ taken: now, redis: dueAt(-3_600 * SECOND) })).kind).to.equal('fine');
    });

    it('is not found while no slot is free', () => {
      const watch = new Watch();
      expect(watch.look(300, { hasFreeSlot: false, redis: dueAt(0) }).kind).to.equal('fine');
      // And for 30 s after that.
      expect(watch.look(28, { redis: dueAt(0) }).kind).to.equal('fine');
      expect(watch.look(4, { redis: dueAt(0) }).kind).to.equal('rebuild');
    });

    it('is not found when the queue is paused or limited by other means', () => {
      expect(new Watch().look(300, { redis: { ...dueAt(0), isHeld: true } }).kind).to.equal('fine');
    });

    it("is not found by Redis' clock alone: a worker whose clock is behind does not know that it is due", () => {
      expect(new Watch().look(300, (now) => ({ clock: EPOCH + now - 300 * SECOND, redis: dueAt(0) })).kind).to.equal('fine');
    });

    it('is not found by the clock of the worker alone, which may be ahead', () => {
      expect(new Watch().look(200, (now) => ({ clock: EPOCH + now + 300 * SECOND, redis: dueAt(190 * SECOND) })).kind).to.equal('fine');
    });

    it('does not count while Redis does not answer, nor for 30 s after that', () => {
      const watch = new Watch();
      expect(watch.look(300, { isSilent: true }).kind).to.equal('fine');
      expect(watch.look(28, { redis: dueAt(0) }).kind).to.equal('fine');
      expect(watch.look(4, { redis: dueAt(0) }).kind).to.equal('rebuild');
    });
  });

  const hangs: Changes = { oldestCall: fetchSince(0), redis: dueAt(0) };

  it('finds nothing while the worker brakes, and for 30 s after the last refusal of Redis', () => {
    const watch = new Watch();
    expect(watch.look(180, (now) => ({ ...hangs, isBraking: true, refusedAt: now - SECOND })).kind).to.equal('fine');
    const refusedAt = watch.now;
    expect(watch.look(28, { ...hangs, refusedAt }).kind).to.equal('fine');
    expect(watch.look(6, { ...hangs, refusedAt }).kind).to.equal('rebuild');
  });

  it('finds nothing while Redis has refused something in the last 30 s, however often the brake lets go', () => {
    expect(new Watch().look(180, (now) => ({ ...hangs, refusedAt: now - 10 * SECOND })).kind).to.equal('fine');
  });

  it('rebuilds once a minute at most, and gives up when two rebuilds were in vain', () => {
    const watch = new Watch();
    const steps: { kind: Verdict['kind']; at: number }[] = [];
    while (steps.length < 3) steps.push({ kind: watch.look(1_000, hangs).kind, at: watch.now });
    expect(steps.map(({ kind }) => kind)).to.deep.equal(['rebuild', 'rebuild', 'give_up']);
    expect(steps.map(({ at }, index) => at - (steps[index - 1]?.at ?? at))).to.deep.equal([0, 60 * SECOND, 60 * SECOND]);
  });

  it('does not count a rebuild as in vain when a wait has ended, or a job was taken, since', () => {
    for (const progress of [{ waitsEnded: 1 }, { taken: 1 }]) {
      const watch = new Watch();
      for (let nth = 0; nth < 5; nth += 1) {
        expect(watch.look(1_000, hangs).kind).to.equal('rebuild');
        watch.look(2, { oldestCall: waitSince(watch.now), ...progress });
      }
    }
  });

  it('counts a rebuild for a due task as in vain though waits end: they bring nothing', () => {
    const watch = new Watch();
    const kinds: Verdict['kind'][] = [];
    while (kinds.length < 3) kinds.push(watch.look(1_000, (now) => ({ waitsEnded: now, oldestCall: waitSince(now), redis: dueAt(0) })).kind);
    expect(kinds).to.deep.equal(['rebuild', 'rebuild', 'give_up']);
  });

  it('does not ask Redis while the worker is busy, or idle for less than 30 s', () => {
    const look = { now: 0, clock: EPOCH, isBraking: false, refusedAt: -Infinity, hasFreeSlot: true, taken: 0, waitsEnded: 0, oldestCall: waitSince(0) };
    expect(isSuspicious(firstMemory(0), { ...look, now: 2 * SECOND }, standstillTimes)).to.equal(false);
    const memory = { ...firstMemory(0), lookedAt: 30 * SECOND };
    expect(isSuspicious(memory, { ...look, oldestCall: undefined, now: 32 * SECOND, taken: 1 }, standstillTimes)).to.equal(false);
    expect(isSuspicious(memory, { ...look, oldestCall: undefined, now: 32 * SECOND, hasFreeSlot: false }, standstillTimes)).to.equal(false);
    expect(isSuspicious(memory, { ...look, oldestCall: undefined, now: 32 * SECOND }, standstillTimes)).to.equal(true);
  });
});
