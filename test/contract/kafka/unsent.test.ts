import { expect } from 'chai';

import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { TimeLimitReached } from '../../../shared/domain/ports.js';
import { eventually } from '../../support/eventually.js';
import { FakeKafka, type FakeKafkaOptions } from '../../support/fake-kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const limits = { sendTimeoutMs: 700, connectTimeoutMs: 500, maxBatchMessages: 10 };
const topic = 't';

describe('kafka adapter: messages behind a batch that is not answered', function () {
  this.timeout(20_000);
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  /** Sends one message, and ten more when it is on its way: they wait behind it. */
  async function sendBehind(options: FakeKafkaOptions): Promise<{ first: DeliveryResult; behind: DeliveryResult[]; broker: FakeKafka }> {
    const broker = closing.add(await FakeKafka.start(options));
    const adapter = closing.add(adapterFor(broker, limits));
    const first = send(adapter, attempt('first'), kafka({ topic }));
    await eventually(() => { expect(broker.produced).to.have.lengthOf(1); });
    const behind = Array.from({ length: 5 }, (_, nth) => send(adapter, attempt(`behind-${nth}`), kafka({ topic })));
    return { first: await first, behind: await Promise.all(behind), broker };
  }

  it('are delivered over a new connection, each of them once', async () => {
    const { first, behind, broker } = await sendBehind({ reply: ({ api, nth }) => (api === 'produce' && nth === 0 ? 'silence' : undefined) });
    expectFailed(first, 'broker_timed_out');
    expect(first.kind === 'failed' && first.detail).to.include('send: no answer within 700 ms');
    behind.forEach(expectDelivered);
    expect(broker.produced, 'the silent batch, and one with all the others').to.have.lengthOf(2);
  });

  it('are delivered over a new connection when the broker has cut the first one', async () => {
    const { first, behind, broker } = await sendBehind({
      reply: ({ api, nth, socket }) => {
        if (api !== 'produce' || nth > 0) return undefined;
        setTimeout(() => socket.resetAndDestroy(), 200);
        return 'silence';
      },
    });
    expectFailed(first, 'broker_unreachable');
    behind.forEach(expectDelivered);
    expect(broker.produced).to.have.lengthOf(2);
  });

  it('say what the broker did with them when it does not let us in again', async () => {
    const { first, behind } = await sendBehind({ reply: ({ api, nth }) => (api === 'produce' || (api === 'apiVersions' && nth > 0) ? 'silence' : undefined) });
    expectFailed(first, 'broker_timed_out');
    for (const result of behind) {
      expectFailed(result, 'broker_timed_out');
      expect(result.kind === 'failed' && result.detail).to.include('connect: no answer within 500 ms');
    }
  });

  it('say that they were not sent when the batch before them is not answered over the next connection, either', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: ({ api }) => (api === 'produce' ? 'silence' : undefined) }));
    const adapter = closing.add(adapterFor(broker, { ...limits, maxBatchMessages: 1 }));
    // Of one message each, and at most five on their way.
    const results = await Promise.all(Array.from({ length: 15 }, (_, nth) => send(adapter, attempt(`t-${nth}`), kafka({ topic, key: 'k' }))));
    for (const result of results) expectFailed(result, 'broker_timed_out');
    const details = results.map((result) => (result.kind === 'failed' ? result.detail : ''));
    expect(details.filter((detail) => !detail.includes('not sent')), 'on their way').to.have.lengthOf(broker.produced.length);
    expect(details.filter((detail) => detail.includes('not sent'))).to.have.lengthOf(15 - broker.produced.length).and.to.not.have.lengthOf(0);
  });

  it('say that they were not sent when the time of their attempt is over first', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: ({ api }) => (api === 'produce' ? 'silence' : undefined) }));
    const adapter = closing.add(adapterFor(broker, { maxBatchMessages: 10 }));
    const limit = new AbortController();
    const first = adapter.send(attempt('first'), kafka({ topic }), limit.signal);
    await eventually(() => { expect(broker.produced).to.have.lengthOf(1); });
    const second = adapter.send(attempt('second'), kafka({ topic }), limit.signal);
    // In the queue of its partition by the end of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    limit.abort(new TimeLimitReached(30_000));
    expect(await first).to.include({ kind: 'failed', code: 'timed_out', detail: 'no complete answer within 30000 ms' });
    expect(await second).to.include({ kind: 'failed', code: 'timed_out', detail: 'not sent within 30000 ms: it waited for the broker' });
    expect(broker.produced).to.have.lengthOf(1);
  });

  it('do not say that the broker has them when it does not tell where the topic is', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: ({ api }) => (api === 'metadata' ? 'silence' : undefined) }));
    const result = await send(closing.add(adapterFor(broker, limits)), attempt('t'), kafka({ topic }));
    expectFailed(result, 'broker_timed_out');
    expect(result.kind === 'failed' && result.detail).to.include('metadata: no answer within 700 ms');
  });
});
