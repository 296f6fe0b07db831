import { expect } from 'chai';

import { freePort } from '../../../scripts/servers/free-port.mjs';
import { KafkaProbe, kafkaTestBroker } from '../../support/kafka.js';
import { PrivateBroker } from '../../support/kafka-broker.js';
import { startRawHost } from '../../support/kafka-raw-host.js';
import { eventually } from '../../support/eventually.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send, timed } from './sending.js';

/** Short, so that a frozen broker does not take the tests' time; the connect limit is shorter still. */
const limits = { sendTimeoutMs: 1_500, connectTimeoutMs: 700 };
/** What a timer and a busy machine may add, in milliseconds. It is less than one more limit of a send. */
const slackMs = 1_400;

describe('kafka adapter: brokers that die, freeze and come back', function () {
  this.timeout(120_000);
  const closing = new Closing();
  const stopping = new Closing();
  let broker: PrivateBroker;
  let topic: string;

  before(async () => {
    broker = stopping.add(await PrivateBroker.start());
    topic = await broker.probe.createTopic({ partitions: 2 });
  });
  after(() => stopping.closeAll());
  afterEach(() => closing.closeAll());

  const newAdapter = () => closing.add(adapterFor(kafkaTestBroker(), limits));
  const here = () => kafka({ topic, broker });

  it('answers within its limits when the broker freezes in use, shares the waits, and delivers after the thaw', async () => {
    const adapter = newAdapter();
    expectDelivered(await send(adapter, attempt('before'), here()));
    await broker.freeze();
    try {
      const sends = Array.from({ length: 300 }, (_, i) => send(adapter, attempt(`during-${i}`), here()));
      const { value: results, tookMs } = await timed(Promise.all(sends));
      for (const result of results) expectFailed(result, 'broker_timed_out');
      // Those behind the first batches have not been sent, so they try to get in once more.
      expect(tookMs).to.be.within(limits.sendTimeoutMs - 10, limits.sendTimeoutMs + limits.connectTimeoutMs + slackMs);

      const took: number[] = [];
      for (const id of ['still-0', 'still-1', 'still-2']) {
        const next = await timed(send(adapter, attempt(id), here()));
        expectFailed(next.value, 'broker_timed_out');
        took.push(next.tookMs);
      }
      expect(Math.min(...took), 'the limit of a connection, and not that of a send').to.be.within(limits.connectTimeoutMs - 10, limits.sendTimeoutMs - 10);
    } finally {
      broker.thaw();
    }
    await broker.thawed();
    expectDelivered(await send(adapter, attempt('after'), here()));
  });

  it('delivers although the clock is set forward by an hour while the broker has the message', async () => {
    const adapter = newAdapter();
    expectDelivered(await send(adapter, attempt('before'), here()));
    const realNow = Date.now;
    await broker.freeze();
    const sending = send(adapter, attempt('during'), here());
    try {
      // Long enough that kafkajs looks for requests without an answer, before and after: it does so each 100 ms.
      await new Promise((resolve) => setTimeout(resolve, 250));
      Date.now = () => realNow() + 3_600_000;
      await new Promise((resolve) => setTimeout(resolve, 250));
    } finally {
      broker.thaw();
      Date.now = realNow;
    }
    expectDelivered(await sending);
    await broker.thawed();
  });

  it('answers at once when the broker is killed, and delivers with the first send after it is back', async () => {
    const adapter = newAdapter();
    expectDelivered(await send(adapter, attempt('before'), here()));
    await broker.kill();
    const took: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { value, tookMs } = await timed(send(adapter, attempt(`dead-${i}`), here()));
      expectFailed(value, 'broker_unreachable');
      took.push(tookMs);
    }
    expect(Math.min(...took), 'no limit is waited for').to.be.below(limits.connectTimeoutMs);
    await broker.restart();
    expectDelivered(await send(adapter, attempt('after'), here()));
  });

  it('delivers with the first send after a restart that it never noticed', async () => {
    const adapter = newAdapter();
    expectDelivered(await send(adapter, attempt('before'), here()));
    await broker.kill();
    await broker.restart();
    expectDelivered(await send(adapter, attempt('after'), here()));
  });

  it('answers what is on its way when the broker is killed', async () => {
    const adapter = newAdapter();
    expectDelivered(await send(adapter, attempt('before'), here()));
    await broker.freeze();
    const sends = Array.from({ length: 20 }, (_, i) => send(adapter, attempt(`lost-${i}`), here()));
    await new Promise((resolve) => setImmediate(resolve));
    const killed = broker.kill();
    for (const result of await Promise.all(sends)) expectFailed(result, 'broker_unreachable');
    await killed;
    await broker.restart();
  });

  it('does not let dead and frozen clusters slow a healthy one down', async () => {
    const adapter = newAdapter();
    const probe = closing.add(new KafkaProbe(kafkaTestBroker()));
    const healthy = kafka({ topic: await probe.createTopic() });
    const dead = { host: '127.0.0.1', port: await freePort() };
    expectDelivered(await send(adapter, attempt('warm'), healthy));
    await broker.freeze();
    try {
      const toFrozen = Array.from({ length: 100 }, (_, i) => send(adapter, attempt(`frozen-${i}`), here()));
      const toDead = Array.from({ length: 100 }, (_, i) => send(adapter, attempt(`dead-${i}`), kafka({ topic: 't', broker: dead })));
      const { tookMs } = await timed((async () => {
        for (let i = 0; i < 10; i += 1) expectDelivered(await send(adapter, attempt(`ok-${i}`), healthy));
      })());
      expect(tookMs, '10 sends, one after the other').to.be.below(limits.sendTimeoutMs);
      for (const result of await Promise.all(toDead)) expectFailed(result, 'broker_unreachable');
      for (const result of await Promise.all(toFrozen)) expectFailed(result, 'broker_timed_out');
    } finally {
      broker.thaw();
    }
    await broker.thawed();
  });

  it('opens one connection, not many, for sends that meet a silent cluster at the same moment', async () => {
    const adapter = newAdapter();
    const silent = closing.add(await startRawHost());
    const sends = Array.from({ length: 60 }, (_, i) =>
      send(adapter, attempt(`t-${i}`), kafka({ topic: `topic-${i % 6}`, broker: silent })));
    for (const result of await Promise.all(sends)) expectFailed(result, 'broker_timed_out');
    expect(silent.connectionsTaken).to.equal(1);
    await eventually(() => { expect(silent.connectionsOpen).to.equal(0); });
  });

  it('tries the other brokers of KAFKA_BROKERS when the first ones are dead or frozen', async () => {
    const silent = closing.add(await startRawHost());
    const { host, port } = kafkaTestBroker();
    const probe = closing.add(new KafkaProbe({ host, port }));
    const destination = kafka({ topic: await probe.createTopic() });
    const defaultBrokers = [`127.0.0.1:${await freePort()}`, `${silent.host}:${silent.port}`, `${host}:${port}`];
    const adapter = closing.add(adapterFor(silent, { ...limits, defaultBrokers }));
    expectDelivered(await send(adapter, attempt('t1'), destination));
    // It remembers which one worked.
    expectDelivered(await send(adapter, attempt('t2'), kafka({ topic: await probe.createTopic() })));
    expect(silent.connectionsTaken).to.equal(1);
  });

  it('closes at once in front of a frozen broker, and leaves nothing open', async () => {
    const adapter = closing.add(adapterFor(kafkaTestBroker()));
    const silent = closing.add(await startRawHost());
    const limit = new AbortController();
    const sending = adapter.send(attempt('t'), kafka({ topic: 't', broker: silent }), limit.signal);
    await eventually(() => { expect(silent.connectionsOpen).to.equal(1); });
    const { tookMs } = await timed(adapter.close());
    expectFailed(await sending, 'shutting_down');
    expect(tookMs).to.be.below(3_000);
    await eventually(() => { expect(silent.connectionsOpen).to.equal(0); });
  });
});
