import { expect } from 'chai';

import { ClientSockets } from '../../support/client-sockets.js';
import { KafkaProbe, kafkaTestBroker } from '../../support/kafka.js';
import { startRawHost } from '../../support/kafka-raw-host.js';
import { eventually } from '../../support/eventually.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

describe('kafka adapter: how many connections it keeps', () => {
  const closing = new Closing();
  let probe: KafkaProbe;
  let sockets: ClientSockets;

  beforeEach(() => { probe = closing.add(new KafkaProbe(kafkaTestBroker())); });
  afterEach(() => closing.closeAll());
  before(() => { sockets = new ClientSockets(); });
  after(() => { sockets.close(); });

  const createTopics = (count: number) => Promise.all(Array.from({ length: count }, () => probe.createTopic()));
  /** Waits until what the probe has closed is gone, too. */
  const settledSockets = () => eventually(() => {
    expect(sockets.open).to.equal(0);
    return 0;
  });

  it('keeps no more topics connected than its bound, closes the least recently used, and comes back to them', async () => {
    const topics = await createTopics(6);
    await settledSockets();
    const adapter = closing.add(adapterFor(kafkaTestBroker(), { maxOpenTopics: 2 }));
    for (const round of [1, 2]) {
      for (const topic of topics) expectDelivered(await send(adapter, attempt(`round-${round}`), kafka({ topic })));
      await eventually(() => { expect(sockets.open).to.equal(2); });
    }
    for (const topic of topics) expect(await probe.readAll(topic)).to.have.lengthOf(2);
  });

  it('never closes a topic that is sending, also when all of them are, and goes back to its bound afterwards', async () => {
    const topics = await createTopics(8);
    await settledSockets();
    const adapter = closing.add(adapterFor(kafkaTestBroker(), { maxOpenTopics: 2 }));
    const sends = topics.flatMap((topic) =>
      Array.from({ length: 5 }, (_, i) => send(adapter, attempt(`t-${i}`), kafka({ topic }))));
    (await Promise.all(sends)).forEach(expectDelivered);
    await eventually(() => { expect(sockets.open).to.equal(2); });
  });

  it('holds its bound over many clusters that never answer', async () => {
    const hosts = await Promise.all(Array.from({ length: 6 }, async () => closing.add(await startRawHost())));
    const limits = { maxOpenTopics: 2, sendTimeoutMs: 300, connectTimeoutMs: 300 };
    const adapter = closing.add(adapterFor(kafkaTestBroker(), limits));
    const results = await Promise.all(hosts.map((host) => send(adapter, attempt('t'), kafka({ topic: 't', broker: host }))));
    for (const result of results) expectFailed(result, 'broker_timed_out');
    await eventually(() => {
      expect(hosts.map((host) => host.connectionsOpen)).to.deep.equal([0, 0, 0, 0, 0, 0]);
    });
  });

  it('disconnects a topic that nothing was sent to for long, and connects again when needed', async () => {
    const [quiet = '', busy = ''] = await createTopics(2);
    await settledSockets();
    let now = 0;
    // The sweep runs every tenth of idleTopicMs; the clock decides what is idle.
    const adapter = closing.add(adapterFor(kafkaTestBroker(), { idleTopicMs: 100, clock: () => now }));
    expectDelivered(await send(adapter, attempt('t1'), kafka({ topic: quiet })));
    now = 99;
    expectDelivered(await send(adapter, attempt('t2'), kafka({ topic: busy })));
    expect(sockets.open).to.equal(2);
    now = 100;
    await eventually(() => { expect(sockets.open).to.equal(1); });
    now = 150;
    expectDelivered(await send(adapter, attempt('t3'), kafka({ topic: quiet })));
    expect(sockets.open).to.equal(2);
  });

  it('leaves no socket and no timer behind after close', async () => {
    const topics = await createTopics(3);
    await settledSockets();
    // Counted in the same place both times: `eventually` has a timer of its own.
    const timersBefore = await eventually(countTimers);
    const adapter = adapterFor(kafkaTestBroker());
    for (const topic of topics) expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
    await adapter.close();
    await eventually(() => {
      expect(sockets.open).to.equal(0);
      expect(countTimers()).to.be.at.most(timersBefore);
    });
  });
});

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}
