import { expect } from 'chai';

import { KafkaProbe, kafkaTestBroker } from '../../support/kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

describe('kafka adapter: topics that come and go', () => {
  const closing = new Closing();
  let probe: KafkaProbe;

  beforeEach(() => { probe = closing.add(new KafkaProbe(kafkaTestBroker())); });
  afterEach(() => closing.closeAll());

  it('delivers to a topic that was made after a send had found it missing, and never makes one itself', async () => {
    const adapter = closing.add(adapterFor(kafkaTestBroker()));
    const topic = `test-late-${Math.random().toString(36).slice(2)}`;
    expectFailed(await send(adapter, attempt('t0'), kafka({ topic })), 'topic_unknown');
    expectFailed(await send(adapter, attempt('t1'), kafka({ topic })), 'topic_unknown');
    await probe.createNamedTopic(topic);
    expectDelivered(await send(adapter, attempt('t2'), kafka({ topic })));
    expect((await probe.readAll(topic)).map(({ key }) => String(key))).to.deep.equal(['t2|0']);
  });

  for (const [before, after] of [[1, 1], [6, 1], [1, 6]] as const) {
    it(`goes on when a topic of ${before} partitions is deleted in use and made again with ${after}, and others never notice`, async () => {
      const adapter = closing.add(adapterFor(kafkaTestBroker()));
      const [doomed, other] = [await probe.createTopic({ partitions: before }), await probe.createTopic()];
      const ids = Array.from({ length: 12 }, (_, i) => `task-${i}`);
      const sendAll = (topic: string) => Promise.all(ids.map((id) => send(adapter, attempt(id), kafka({ topic }))));
      (await sendAll(doomed)).forEach(expectDelivered);
      (await sendAll(other)).forEach(expectDelivered);

      await probe.deleteTopic(doomed);
      const [toDoomed, toOther] = await Promise.all([sendAll(doomed), sendAll(other)]);
      for (const result of toDoomed) expectFailed(result, 'topic_unknown');
      toOther.forEach(expectDelivered);

      await probe.createNamedTopic(doomed, { partitions: after });
      (await sendAll(doomed)).forEach(expectDelivered);
      expect(await probe.readAll(doomed)).to.have.lengthOf(ids.length);
      expect(await probe.readAll(other)).to.have.lengthOf(2 * ids.length);
    });

    it(`does not fail a send when the topic of ${before} partitions was replaced by one of ${after} since the last`, async () => {
      const adapter = closing.add(adapterFor(kafkaTestBroker()));
      const topic = await probe.createTopic({ partitions: before });
      const ids = Array.from({ length: 12 }, (_, i) => `task-${i}`);
      const sendAll = () => Promise.all(ids.map((id) => send(adapter, attempt(id), kafka({ topic }))));
      (await sendAll()).forEach(expectDelivered);
      await probe.deleteTopic(topic);
      await probe.createNamedTopic(topic, { partitions: after });
      (await sendAll()).forEach(expectDelivered);
      expect(await probe.readAll(topic)).to.have.lengthOf(ids.length);
    });
  }
});
