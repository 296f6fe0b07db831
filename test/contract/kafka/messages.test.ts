import { expect } from 'chai';

import { ShuttingDown } from '../../../shared/domain/ports.js';
import { KafkaProbe, kafkaTestBroker } from '../../support/kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

describe('kafka adapter: messages and batches', () => {
  const closing = new Closing();
  let probe: KafkaProbe;

  beforeEach(() => { probe = closing.add(new KafkaProbe(kafkaTestBroker())); });
  afterEach(() => closing.closeAll());

  const newAdapter = () => closing.add(adapterFor(kafkaTestBroker()));

  it('sends the key of the destination, and its headers below our own', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic();
    const destination = kafka({
      topic,
      key: 'customer Nº 7',
      headers: { 'content-type': 'text/plain', 'x-retry-task-id': 'forged', empty: '' },
    });
    expectDelivered(await send(adapter, attempt('t1', 'grüße'), destination));

    const [stored] = await probe.readAtLeast(topic, 1);
    expect(stored?.key?.toString()).to.equal('customer Nº 7');
    expect(stored?.value?.toString()).to.equal('grüße');
    const headers = Object.entries(stored?.headers ?? {}).map(([name, value]) => [name, value.toString()]);
    expect(Object.fromEntries(headers)).to.deep.equal({ 'content-type': 'text/plain', 'x-retry-task-id': 't1', empty: '' });
  });

  it('gives every message the partition and offset it is really stored at', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic({ partitions: 4 });
    const ids = Array.from({ length: 150 }, (_, i) => `task-${i}`);
    const results = await Promise.all(ids.map((id) => send(adapter, attempt(id), kafka({ topic }))));

    const stored = await probe.readAll(topic);
    expect(stored).to.have.lengthOf(ids.length);
    const places = new Map(stored.map(({ key, partition, offset }) => [String(key), { partition, offset }]));
    for (const [index, result] of results.entries()) {
      expect(expectDelivered(result)).to.deep.equal(places.get(`task-${index}|0`));
    }
    expect(new Set(stored.map(({ partition }) => partition))).to.have.property('size', 4);
  });

  it("puts a key where Kafka's own Java producer puts it", async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic({ partitions: 10 });
    // (murmur2(key) & 0x7fffffff) % 10, from org.apache.kafka.common.utils.Utils.
    const partitions = [];
    for (const key of ['21', 'foobar', 'a-little-bit-long-string', 'a-little-bit-longer-string']) {
      partitions.push(expectDelivered(await send(adapter, attempt('t'), kafka({ topic, key }))).partition);
    }
    const hashes = [-973932308, -790332482, -985981536, -1486304829];
    expect(partitions).to.deep.equal(hashes.map((hash) => (hash & 0x7fffffff) % 10));
  });

  it('sends 100 messages of 1 KB that are in flight together as a few batches', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic();
    const ids = Array.from({ length: 100 }, (_, i) => `task-${i}`);
    const results = await Promise.all(ids.map((id) => send(adapter, attempt(id, 'x'.repeat(1_000)), kafka({ topic }))));
    results.forEach(expectDelivered);
    const stored = await probe.readAll(topic);
    expect(stored).to.have.lengthOf(100);
    expect(new Set(stored.map(({ batchOffset }) => batchOffset)).size, 'batches').to.be.at.most(3);
  });

  it('never puts more than 100 messages into a batch', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic();
    const results = await Promise.all(
      Array.from({ length: 250 }, (_, i) => send(adapter, attempt(`task-${i}`), kafka({ topic }))),
    );
    results.forEach(expectDelivered);
    expect(batchSizes(await probe.readAll(topic))).to.deep.equal([100, 100, 50]);
  });

  it('fills a batch up to exactly 512 KiB of keys, values and headers, and not by a byte more', async () => {
    const adapter = newAdapter();
    const half = 256 * 1024;
    const headerAndKeyBytes = Buffer.byteLength('a|0' + 'x-retry-task-id' + 'a');
    const fits = await probe.createTopic();
    const exceeds = await probe.createTopic();
    const body = 'x'.repeat(half - headerAndKeyBytes);
    const results = await Promise.all([
      send(adapter, attempt('a', body), kafka({ topic: fits })),
      send(adapter, attempt('b', body), kafka({ topic: fits })),
      send(adapter, attempt('a', body), kafka({ topic: exceeds })),
      send(adapter, attempt('b', `${body}x`), kafka({ topic: exceeds })),
    ]);
    results.forEach(expectDelivered);
    expect(batchSizes(await probe.readAll(fits))).to.deep.equal([2]);
    expect(batchSizes(await probe.readAll(exceeds))).to.deep.equal([1, 1]);
  });

  it('delivers 20 messages of 100 KB that a broker would refuse in one batch', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic({ config: { 'max.message.bytes': '1048588' } });
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send(adapter, attempt(`task-${i}`, 'x'.repeat(100_000)), kafka({ topic }))),
    );
    results.forEach(expectDelivered);
    expect(await probe.readAll(topic)).to.have.lengthOf(20);
  });

  it('refuses only the message that is too large, and delivers its neighbours once each', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic({ partitions: 3, config: { 'max.message.bytes': '20000' } });
    const bodies = Array.from({ length: 30 }, (_, i) => (i === 7 ? 'x'.repeat(20_000) : 'x'.repeat(1_000)));
    const results = await Promise.all(bodies.map((body, i) => send(adapter, attempt(`task-${i}`, body), kafka({ topic }))));
    for (const [index, result] of results.entries()) {
      if (index === 7) expectFailed(result, 'message_too_large');
      else expectDelivered(result);
    }
    const keys = (await probe.readAll(topic)).map(({ key }) => String(key));
    expect(keys).to.have.members(bodies.map((_, i) => `task-${i}|0`).filter((key) => key !== 'task-7|0'));
  });

  it('delivers each of many messages that together are too large for a topic with a small limit', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic({ config: { 'max.message.bytes': '3000' } });
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) => send(adapter, attempt(`task-${i}`, 'x'.repeat(1_500)), kafka({ topic }))),
    );
    results.forEach(expectDelivered);
    expect(await probe.readAll(topic)).to.have.lengthOf(100);
  });

  it('does not send a message whose caller gave up before its batch left', async () => {
    const adapter = newAdapter();
    const topic = await probe.createTopic();
    const limit = new AbortController();
    const givenUp = adapter.send(attempt('given-up'), kafka({ topic }), limit.signal);
    const kept = send(adapter, attempt('kept'), kafka({ topic }));
    limit.abort(new ShuttingDown());
    expectFailed(await givenUp, 'shutting_down');
    expectDelivered(await kept);
    expect((await probe.readAll(topic)).map(({ key }) => String(key))).to.deep.equal(['kept|0']);
  });
});

function batchSizes(stored: readonly { readonly batchOffset: string }[]): number[] {
  const sizes = new Map<string, number>();
  for (const { batchOffset } of stored) sizes.set(batchOffset, (sizes.get(batchOffset) ?? 0) + 1);
  return [...sizes.values()];
}
