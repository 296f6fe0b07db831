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
    const sending = sends.begin(1, limit);
    expect(await untilAborted(sending.signal)).to.be.instanceOf(TimeLimitReached);
    sending.end();
    expect(sends.size).to.equal(0);
  });

  it('aborts all sends at shutdown, and none that come later', async () => {
    const sends = new SendsInFlight();
    const running = [sends.begin(60_000, limit), sends.begin(60_000, limit)];
    const reasons = running.map(({ signal }) => untilAborted(signal));
    expect(sends.size).to.equal(2);
    sends.abortAll(new ShuttingDown());
    for (const reason of await Promise.all(reasons)) expect(reason).to.be.instanceOf(ShuttingDown);
    for (const sending of running) sending.end();
    const later = sends.begin(60_000, limit);
    expect(later.signal.aborted).to.equal(false);
    later.end();
    expect(sends.size).to.equal(0);
  });

  it('aborts no send that has ended, however often that was said', async () => {
    const sends = new SendsInFlight();
    const [ended, other] = [sends.begin(20, limit), sends.begin(40, limit)];
    ended.end();
    ended.end();
    expect(sends.size).to.equal(1);
    expect(await untilAborted(other.signal)).to.be.instanceOf(TimeLimitReached);
    sends.abortAll(new ShuttingDown());
    expect([ended.signal.aborted, ended.signal.reason]).to.deep.equal([false, undefined]);
    other.end();
  });
});
