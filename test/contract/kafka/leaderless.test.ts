import { expect } from 'chai';

import { FakeKafka, frame, metadataBody, produceBody, targetOfProduceRequest, topicOfMetadataRequest, type FakePartition } from '../../support/fake-kafka.js';
import { eventually } from '../../support/eventually.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const keys = Array.from({ length: 10 }, (_, nth) => `k${nth}`);
const leaderless: readonly (readonly [how: string, partition: FakePartition])[] = [
  ['an error (LEADER_NOT_AVAILABLE)', { id: 1, error: 5, leader: -1 }],
  ['an error (LISTENER_NOT_FOUND)', { id: 1, error: 72, leader: -1 }],
  ['an error that is none of a leader', { id: 1, error: -1, leader: 1 }],
  ['the leader -1', { id: 1, leader: -1 }],
  ['a leader that it does not name', { id: 1, leader: 9 }],
];

describe('kafka adapter: a partition without a leader', () => {
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  for (const [how, partition] of leaderless) {
    it(`stops the keys of that partition alone, when metadata says so by ${how}`, async () => {
      const broker = closing.add(await FakeKafka.start({ partitions: [{ id: 0 }, partition] }));
      const adapter = closing.add(adapterFor(broker));
      const results = await Promise.all(keys.map((key) => send(adapter, attempt(key), kafka({ topic: 't', key }))));
      const delivered = results.filter(({ kind }) => kind === 'delivered');
      expect(delivered).to.have.lengthOf(6);
      for (const result of delivered) expect(expectDelivered(result).partition).to.equal(0);
      for (const result of results.filter(({ kind }) => kind === 'failed')) {
        expectFailed(result, 'broker_unavailable');
        // Its host is well: the circuit of the cluster must not count it.
        expect(result).to.include({ isHostWell: true });
        expect(result, 'other keys of the topic go on').to.not.have.property('isOfWholeEndpoint');
      }
    });
  }

  it('does not stop messages whose client chose no key: they go to another partition', async () => {
    const broker = closing.add(await FakeKafka.start({ partitions: [{ id: 0, error: 5, leader: -1 }, { id: 1 }, { id: 2, error: 5, leader: -1 }, { id: 3 }] }));
    const adapter = closing.add(adapterFor(broker));
    const results = await Promise.all(Array.from({ length: 40 }, (_, nth) => send(adapter, attempt(`task-${nth}`), kafka({ topic: 't' }))));
    const partitions = new Set(results.map((result) => expectDelivered(result).partition));
    expect([...partitions].sort()).to.deep.equal([1, 3]);
  });

  it('keeps a partition whose replica alone is missing (REPLICA_NOT_AVAILABLE)', async () => {
    const broker = closing.add(await FakeKafka.start({ partitions: [{ id: 0, error: 9 }] }));
    const adapter = closing.add(adapterFor(broker));
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic: 't', key: 'k' })));
  });

  it('says nothing against the cluster when no partition of the topic has a leader: its other topics may have one, and this one has failed as a whole', async () => {
    const broker = closing.add(await FakeKafka.start({ partitions: [{ id: 0, error: 5, leader: -1 }, { id: 1, leader: -1 }] }));
    const adapter = closing.add(adapterFor(broker));
    for (const destination of [kafka({ topic: 't', key: 'k' }), kafka({ topic: 't' })]) {
      const result = await send(adapter, attempt('t'), destination);
      expectFailed(result, 'broker_unavailable');
      expect(result).to.include({ isHostWell: true, isOfWholeEndpoint: true });
    }
  });

  it('says that the topic has failed as a whole when its only partition is refused', async () => {
    const broker = closing.add(await FakeKafka.start({
      reply: ({ api, body, correlationId }) => (api === 'produce' ? frame(correlationId, produceBody({ ...targetOfProduceRequest(body), error: 19 })) : undefined),
    }));
    const result = await send(closing.add(adapterFor(broker)), attempt('t'), kafka({ topic: 't', key: 'k' }));
    expectFailed(result, 'broker_unavailable');
    expect(result).to.include({ isHostWell: true, isOfWholeEndpoint: true });
  });

  it('sends to the partition again soon after it has a leader, and asks for leaders at most once a second', async () => {
    let isWell = false;
    const broker = closing.add(await FakeKafka.start({
      reply: ({ api, body, correlationId }, { port }) => {
        if (api !== 'metadata') return undefined;
        const partitions = isWell ? [{ id: 0 }, { id: 1 }] : [{ id: 0 }, { id: 1, error: 5, leader: -1 }];
        return frame(correlationId, metadataBody({ port, topic: topicOfMetadataRequest(body), partitions }));
      },
    }));
    const adapter = closing.add(adapterFor(broker));
    const results = await Promise.all(keys.map(async (key) => ({ key, result: await send(adapter, attempt(key), kafka({ topic: 't', key })) })));
    const stopped = results.find(({ result }) => result.kind === 'failed')?.key ?? '';
    for (let nth = 0; nth < 50; nth += 1) expectFailed(await send(adapter, attempt(`again-${nth}`), kafka({ topic: 't', key: stopped })), 'broker_unavailable');
    expect(broker.connectionsTaken).to.be.at.most(2);
    isWell = true;
    const receipt = await eventually(async () => expectDelivered(await send(adapter, attempt('after'), kafka({ topic: 't', key: stopped }))), { withinMs: 3_000, everyMs: 50 });
    expect(receipt.partition).to.equal(1);
  });
});
