import { expect } from 'chai';

import { ShuttingDown, TimeLimitReached, type EndSignal } from '../../../../shared/domain/ports.js';
import { SendsInFlight } from '../../../../workers/delivery/sends-in-flight.js';

/** Ends only when its signal aborts, with the reason. */
function untilAborted(signal: EndSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', () => { resolve(signal.reason); }));
}

const limit = (): Error => new TimeLimitReached(1);

describe('SendsInFlight', () => {
  it('aborts a send at its time limit, with the reason it was given', async () => {
    const sends = new SendsInFlight();
    expect(await sends.run(1, limit, untilAborted)).to.be.instanceOf(TimeLimitReached);
    expect(sends.size).to.equal(0);
  });

  it('aborts all sends at shutdown, and none that come later', async () => {
    const sends = new SendsInFlight();
    const running = [sends.run(60_000, limit, untilAborted), sends.run(60_000, limit, untilAborted)];
    expect(sends.size).to.equal(2);
    sends.abortAll(new ShuttingDown());
    for (const reason of await Promise.all(running)) expect(reason).to.be.instanceOf(ShuttingDown);
    expect(await sends.run(60_000, limit, async (signal) => signal.aborted)).to.equal(false);
  });

  it('forgets a send that throws, and hands the error on', async () => {
    const sends = new SendsInFlight();
    const failure = new Error('a bug');
    const seen = await sends.run(60_000, limit, () => Promise.reject(failure)).catch((error: unknown) => error);
    expect(seen).to.equal(failure);
    expect(sends.size).to.equal(0);
  });
});
