import type { RedisQueueBackend } from 'bullmq';
import { expect } from 'chai';

import { wakeWhenDue } from '../../../../../shared/queue/engine/wake-when-due.js';
import { eventually } from '../../../../support/eventually.js';

/** The two calls of BullMQ's loop, whose clock is an hour behind that of the machine. */
function loop(): { backend: RedisQueueBackend; woken: number[]; now: () => number; told: { marker: number; nextDue: number } } {
  const told = { marker: 0, nextDue: 0 };
  const woken: number[] = [];
  const now = (): number => Date.now() - 3_600_000;
  const parts: Pick<RedisQueueBackend, 'waitForJob' | 'moveToActive'> = {
    waitForJob: () => Promise.resolve({ member: '1', score: told.marker }),
    moveToActive: () => Promise.resolve([null, 0, 0, told.nextDue]),
  };
  const backend = wakeWhenDue(parts as RedisQueueBackend, () => Promise.resolve(woken.push(now())), now);
  return { backend, woken, now, told };
}

describe('wakeWhenDue', () => {
  it('ends the wait at the time of a marker, though BullMQ has forgotten it', async () => {
    const { backend, woken, now, told } = loop();
    told.marker = now() + 40;
    await backend.waitForJob(5);
    await eventually(() => { expect(woken).to.have.lengthOf(1); });
    expect(woken[0]).to.be.at.least(told.marker);
  });

  it('ends the wait at the time that a fetch in vain has told', async () => {
    const { backend, woken, now, told } = loop();
    told.nextDue = now() + 40;
    await backend.moveToActive('token');
    await eventually(() => { expect(woken).to.have.lengthOf(1); });
    expect(woken[0]).to.be.at.least(told.nextDue);
  });

  it('has one timer, for the earliest of the times', async () => {
    const { backend, woken, now, told } = loop();
    for (const inMs of [9_000, 60, 5_000]) {
      told.nextDue = now() + inMs;
      await backend.moveToActive('token');
    }
    await eventually(() => { expect(woken).to.have.lengthOf(1); });
    // The next one is told again.
    told.nextDue = now() + 30;
    await backend.moveToActive('token');
    await eventually(() => { expect(woken).to.have.lengthOf(2); });
  });

  it('sets no timer for what is due, or due in years', async () => {
    const { backend, woken, now, told } = loop();
    for (const dueAt of [0, now() - 1, now() + 1e12]) {
      told.nextDue = told.marker = dueAt;
      await backend.moveToActive('token');
      await backend.waitForJob(5);
    }
    told.nextDue = now() + 30;
    await backend.moveToActive('token');
    await eventually(() => { expect(woken).to.have.lengthOf(1); });
  });
});
