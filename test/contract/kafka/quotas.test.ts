import { expect } from 'chai';

import { apiVersionsBody, FakeKafka, frame } from '../../support/fake-kafka.js';
import { PrivateBroker } from '../../support/kafka-broker.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

describe('kafka adapter: a broker whose quota is used up (KIP-219)', () => {
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  it('waits for a short throttle, and delivers what came meanwhile', async () => {
    const throttleMs = 400;
    const broker = closing.add(await FakeKafka.start({ throttleMs: () => throttleMs }));
    const adapter = closing.add(adapterFor(broker));
    for (let nth = 0; nth < 3; nth += 1) expectDelivered(await send(adapter, attempt(`t-${nth}`), kafka({ topic: 't' })));
    const [first, second, third] = broker.produced.map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).to.be.at.least(throttleMs - 5);
    expect((third ?? 0) - (second ?? 0)).to.be.at.least(throttleMs - 5);
  });

  it('sends nothing during a long one: what comes meanwhile is answered at once, unsent, with the time to wait', async () => {
    const broker = closing.add(await FakeKafka.start({ throttleMs: () => 20_000 }));
    const adapter = closing.add(adapterFor(broker));
    expectDelivered(await send(adapter, attempt('first'), kafka({ topic: 't' })));
    const results = await Promise.all(Array.from({ length: 20 }, (_, nth) => send(adapter, attempt(`next-${nth}`), kafka({ topic: 't' }))));
    for (const result of results) {
      expectFailed(result, 'broker_throttled');
      expect(result.kind === 'failed' ? result.retryAfterMs : 0).to.be.within(15_000, 20_000);
    }
    expect(broker.produced).to.have.lengthOf(1);
  });

  it('gives a batch that is on its way when the throttle begins the time that the broker takes away', async () => {
    // A throttled broker reads nothing: the second answer comes when the wait is over, later than the limit of a send.
    const broker = closing.add(await FakeKafka.start({
      throttleMs: (nth) => (nth === 0 ? 900 : 0),
      reply: (request, self) => {
        if (request.api !== 'produce' || request.nth !== 1) return undefined;
        setTimeout(() => request.socket.write(self.good(request)), 900);
        return 'silence';
      },
      partitions: [{ id: 0 }, { id: 1 }],
    }));
    const adapter = closing.add(adapterFor(broker, { sendTimeoutMs: 600 }));
    const results = await Promise.all(Array.from({ length: 10 }, (_, nth) => send(adapter, attempt(`k${nth}`), kafka({ topic: 't', key: `k${nth}` }))));
    results.forEach(expectDelivered);
    expect(broker.produced).to.have.lengthOf(2);
  });

  it('does not use up its limit for connecting: a broker that throttles at once is no broker that is too slow', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: ({ api, correlationId }) => (api === 'apiVersions' ? throttledVersions(correlationId) : undefined) }));
    const adapter = closing.add(adapterFor(broker));
    expectFailed(await send(adapter, attempt('t'), kafka({ topic: 't' })), 'broker_throttled');
  });
});

describe('kafka adapter: the quota of a real broker', function () {
  this.timeout(120_000);
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  it('is never taken for a broker that is too slow: each message is delivered, or not sent and answered with the time to wait', async () => {
    const broker = closing.add(await PrivateBroker.start());
    const topic = await broker.probe.createTopic();
    await broker.limitProducer('kafka-retry-service', 20_000);
    const adapter = closing.add(adapterFor(broker));
    const body = 'x'.repeat(100_000);
    let delivered = 0;
    let heldBack = 0;
    // The quota is that of some ten seconds: a few messages of five seconds each use it up.
    for (let nth = 0; delivered < 4 || heldBack === 0; nth += 1) {
      const result = await send(adapter, attempt(`t-${nth}`, body), kafka({ topic }));
      if (result.kind === 'delivered') {
        delivered += 1;
        continue;
      }
      expectFailed(result, 'broker_throttled');
      heldBack += 1;
      await new Promise((resolve) => setTimeout(resolve, result.retryAfterMs));
    }
    expect(await broker.probe.readAll(topic), 'nothing twice').to.have.lengthOf(delivered);
  });
});

function throttledVersions(correlationId: number): Buffer {
  return frame(correlationId, apiVersionsBody(undefined, 8_000));
}
