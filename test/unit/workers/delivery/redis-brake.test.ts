import { expect } from 'chai';

import { createLogger } from '../../../../shared/logging/logger.js';
import { RedisErrors } from '../../../../shared/redis/redis-error.js';
import { eventually } from '../../../support/eventually.js';
import { BrakeLog } from '../../../../workers/delivery/brake-log.js';
import { RedisBrake } from '../../../../workers/delivery/redis-brake.js';

/** As ioredis makes it of a reply. */
function reply(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

const full = reply("OOM command not allowed when used memory > 'maxmemory'.");
const bug = reply('ERR user_script:1: attempt to index a nil value');
/** The first pause is 1 s, and the trial after it 0.5 s. */
const PAUSE_AND_TRIAL_MS = 1_500;

/** A worker, as far as its brake sees it. */
class Braked {
  log = '';
  isConnected = true;
  isWaitConnected = true;
  isPaused = false;
  pauses = 0;
  trials = 0;
  readonly brake: RedisBrake;

  constructor() {
    const logger = createLogger({ level: 'info', environment: 'dev', role: 'worker' }, { write: (text: string) => (this.log += text) });
    this.brake = new RedisBrake({
      queue: 'deliver-0',
      errors: new RedisErrors(),
      pause: () => {
        this.isPaused = true;
        this.pauses += 1;
      },
      resume: () => {
        this.isPaused = false;
      },
      tryWrite: () => {
        this.trials += 1;
        return Promise.resolve();
      },
      isConnected: () => this.isConnected,
      isWaitConnected: () => this.isWaitConnected,
      log: new BrakeLog(logger),
    });
  }
}

describe('RedisBrake', () => {
  let braked: Braked;

  beforeEach(() => {
    braked = new Braked();
  });
  afterEach(() => braked.brake.stop());

  const passed = async (ms: number): Promise<void> => {
    const until = performance.now() + ms;
    await eventually(() => { expect(performance.now()).to.be.above(until); }, { withinMs: 2 * ms + 5_000 });
  };

  it('says that Redis takes writes again only when it does: not while the connection is away', async () => {
    expect(braked.brake.failed(full)).to.equal(true);
    braked.isConnected = false;
    await passed(2 * PAUSE_AND_TRIAL_MS);
    expect([braked.isPaused, braked.trials, braked.brake.isBraking]).to.deep.equal([true, 0, true]);
    expect(braked.log).to.include('redis is full').and.to.not.include('redis takes writes again');
    braked.isConnected = true;
    await eventually(() => { expect(braked.log).to.include('redis takes writes again'); });
    expect([braked.isPaused, braked.trials]).to.deep.equal([false, 1]);
  }).timeout(30_000);

  it('does not say it either when the connection goes away after the trial', async () => {
    braked.brake.failed(full);
    await eventually(() => { expect(braked.trials).to.equal(1); }, { withinMs: 5_000 });
    braked.isConnected = false;
    await passed(PAUSE_AND_TRIAL_MS);
    expect(braked.log).to.not.include('redis takes writes again');
    braked.isConnected = true;
    await eventually(() => { expect(braked.log).to.include('redis takes writes again'); });
  }).timeout(30_000);

  it('does not say it while the connection is refused on which the worker waits, also when a task that was due has been fetched', async () => {
    expect(braked.brake.failed(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }))).to.equal(true);
    braked.isWaitConnected = false;
    await eventually(() => { expect(braked.isPaused).to.equal(false); }, { withinMs: 5_000 });
    braked.brake.worked();
    await passed(PAUSE_AND_TRIAL_MS);
    expect(braked.log).to.not.include('redis takes writes again');
    expect(braked.brake.isBraking, 'the watchdog has to see a connection that hangs').to.equal(false);
    braked.isWaitConnected = true;
    await eventually(() => { expect(braked.log).to.include('redis takes writes again'); });
  }).timeout(30_000);

  it('does not brake for a bug, which is about one task', () => {
    for (let nth = 0; nth < 100; nth += 1) {
      expect(braked.brake.failed(bug)).to.equal(false);
      braked.brake.worked();
    }
    expect(braked.pauses).to.equal(0);
  });

  it('brakes when one bug follows the other and nothing works in between: such a loop would never rest', async () => {
    let asked = 0;
    const until = performance.now() + 2 * PAUSE_AND_TRIAL_MS;
    // A worker that asks as long as it is not paused, and is always answered by an error.
    await eventually(() => {
      while (!braked.isPaused) {
        asked += 1;
        braked.brake.failed(bug);
      }
      expect(performance.now()).to.be.above(until);
    }, { withinMs: 20_000, everyMs: 5 });
    expect(asked).to.be.within(20, 100);
    expect(braked.log).to.include('redis fails again and again').and.to.include('attempt to index a nil value');
  }).timeout(30_000);
});
