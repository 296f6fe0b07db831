import { expect } from 'chai';
import fc from 'fast-check';

import { RedisClock } from '../../../../shared/redis/redis-clock.js';

const HOUR = 3_600_000;
/** Redis' clock when the monotonic one of the process stands at 0. */
const EPOCH = Date.UTC(2026, 10, 23, 12);

/** A process and its Redis, as far as clocks go. */
class World {
  monotonic = 0;
  redisAhead = EPOCH;
  readonly clock: RedisClock;

  constructor(timeOfDay = EPOCH) {
    this.clock = new RedisClock(timeOfDay, () => this.monotonic);
  }

  get redisTime(): number {
    return this.monotonic + this.redisAhead;
  }

  /** Redis is asked. @param there until it reads its clock, ms @param back until its answer is read, ms */
  ask(there: number, back: number): void {
    const askedAt = this.monotonic;
    this.monotonic += there;
    const told = Math.floor(this.redisTime);
    this.monotonic += back;
    this.clock.learn(told, askedAt);
  }
}

describe('RedisClock', () => {
  it('begins with the time of day, and forgets it with the first answer, however wrong it was', () => {
    for (const wrongByMs of [-HOUR, -1, 0, 1, HOUR]) {
      const world = new World(EPOCH + wrongByMs);
      expect(world.clock.now()).to.equal(EPOCH + wrongByMs);
      world.ask(1, 1);
      expect(world.clock.now()).to.be.within(EPOCH, EPOCH + 2);
    }
  });

  it('goes on by the monotonic clock while Redis is away', () => {
    const world = new World();
    world.ask(0, 0);
    world.monotonic += HOUR;
    expect(world.clock.now()).to.equal(EPOCH + HOUR);
  });

  it('is never ahead of Redis, and not behind by more than the shortest question took, whatever the others took', () => {
    const latency = fc.double({ min: 0, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(latency, latency, fc.double({ min: 0, max: 300, noNaN: true })), { minLength: 1, maxLength: 30 }), (questions) => {
        const world = new World(EPOCH - HOUR);
        let shortest = Infinity;
        let sinceThen = 0;
        for (const [there, back, pause] of questions) {
          world.ask(there, back);
          if (there + back < shortest) {
            shortest = there + back;
            sinceThen = 0;
          } else {
            sinceThen += there + back;
          }
          // Rounding takes 1 ms twice; the rest is what the clocks may have drifted apart since then.
          expect(world.clock.now()).to.be.at.most(world.redisTime);
          expect(world.redisTime - world.clock.now()).to.be.at.most(shortest + 2 + sinceThen * 0.001);
          world.monotonic += pause;
          sinceThen += pause;
        }
      }),
    );
  });

  it('ends no wait early that was made longer by the doubt, however much better the estimate has become since', () => {
    const latency = fc.double({ min: 0, max: 500, noNaN: true });
    const questions = fc.array(fc.tuple(latency, latency), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(questions, questions, fc.integer({ min: 1, max: 10_000 }), (before, after, waitMs) => {
        const world = new World(EPOCH - HOUR);
        for (const [there, back] of before) world.ask(there, back);
        const beganAt = world.redisTime;
        const dueAt = world.clock.now() + waitMs + world.clock.doubtMs();
        const expectNotEarly = (): void => {
          if (world.clock.now() >= dueAt) expect(world.redisTime - beganAt).to.be.at.least(waitMs);
        };
        for (const [there, back] of after) {
          world.ask(there, back);
          expectNotEarly();
        }
        world.monotonic += Math.max(0, dueAt - world.clock.now());
        expect(world.clock.now()).to.be.at.least(dueAt - 1);
        expectNotEarly();
      }),
    );
  });

  it('is in doubt by no more than its shortest question took and the rounding', () => {
    const world = new World();
    world.ask(100, 100);
    expect(world.clock.doubtMs()).to.be.within(201, 203);
    world.ask(1, 1);
    expect(world.clock.doubtMs()).to.be.within(3, 5);
    world.ask(300, 300);
    expect(world.clock.doubtMs()).to.be.within(3, 6);
  });

  it('is not held up by an answer that was read seconds late', () => {
    const world = new World();
    world.ask(1, 1);
    world.ask(1, 5_000);
    expect(world.redisTime - world.clock.now()).to.be.below(10);
  });

  for (const [name, stepMs] of [['forward by an hour', HOUR], ['back by an hour', -HOUR], ['back by 50 ms', -50]] as const) {
    it(`follows Redis at once when its clock is set ${name}`, () => {
      const world = new World();
      for (let nth = 0; nth < 5; nth += 1) world.ask(1, 1);
      world.redisAhead += stepMs;
      world.ask(1, 1);
      expect(world.redisTime - world.clock.now()).to.be.within(0, 3);
    });
  }

  it('follows a Redis whose clock is slowly corrected', () => {
    const world = new World();
    for (let nth = 0; nth < 1_000; nth += 1) {
      world.ask(1, 1);
      world.monotonic += 198;
      world.redisAhead -= 0.05;
    }
    expect(world.redisTime - world.clock.now()).to.be.within(-1, 4);
  });
});
