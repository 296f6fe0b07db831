import { expect } from 'chai';

import { FakeKafka, frame, i16, i32, list, metadataBody, produceBody, targetOfProduceRequest, text, topicOfMetadataRequest } from '../../support/fake-kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const topic = 't';

/** One partition of an answer to Produce, versions 5 to 7. */
function entry(partition: number, error = 0, offset = 0): Buffer {
  return Buffer.concat([i32(partition), i16(error), i32(0), i32(offset), Buffer.alloc(8, 0xff), Buffer.alloc(8)]);
}

const topicEntry = (name: string, ...entries: Buffer[]): Buffer => Buffer.concat([text(name), list(entries)]);
const answer = (...topics: Buffer[]): Buffer => Buffer.concat([list(topics), i32(0)]);

const acknowledged: readonly (readonly [what: string, body: Buffer])[] = [
  ['another partition with it', answer(topicEntry(topic, entry(5), entry(0, 0, 42)))],
  ['an error of another partition with it', answer(topicEntry(topic, entry(5, 6), entry(0, 0, 42)))],
  ['an error of another partition behind it', answer(topicEntry(topic, entry(0, 0, 42), entry(5, 19)))],
  ['an error of another topic with it', answer(topicEntry('other', entry(0, 3)), topicEntry(topic, entry(0, 0, 42)))],
  ['an error of the same partition beside it', answer(topicEntry(topic, entry(0, 6), entry(0, 0, 42)))],
  ['the same twice', answer(topicEntry(topic, entry(0, 0, 42)), topicEntry(topic, entry(0, 0, 43)))],
];

const notAcknowledged: readonly (readonly [what: string, body: Buffer])[] = [
  ['nothing', answer()],
  ['no partition', answer(topicEntry(topic))],
  ['another topic', answer(topicEntry('other', entry(0)))],
  ['another partition', answer(topicEntry(topic, entry(5)))],
  ['a topic without a name', answer(Buffer.concat([i16(-1), list([entry(0)])]))],
  ['the topic in other letters', answer(topicEntry('T', entry(0)))],
  ['an error of another partition', answer(topicEntry(topic, entry(5, 6)))],
  ['an error of it, and another partition', answer(topicEntry(topic, entry(0, 6), entry(5)))],
];

describe('kafka adapter: answers that speak of other things than they were asked for', () => {
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  for (const [what, body] of acknowledged) {
    it(`takes an acknowledgement and sends nothing twice, when the answer has ${what}`, async () => {
      const broker = closing.add(await FakeKafka.start({ reply: ({ api, correlationId }) => (api === 'produce' ? frame(correlationId, body) : undefined) }));
      const adapter = closing.add(adapterFor(broker));
      expect(expectDelivered(await send(adapter, attempt('first'), kafka({ topic })))).to.deep.equal({ partition: 0, offset: '42' });
      expectDelivered(await send(adapter, attempt('second'), kafka({ topic })));
      expect(broker.produced).to.have.lengthOf(2);
    });
  }

  for (const [what, body] of notAcknowledged) {
    it(`says that the other side is no Kafka broker, and sends no second time in the same attempt, when it acknowledges ${what}`, async () => {
      const broker = closing.add(await FakeKafka.start({ reply: ({ api, correlationId }) => (api === 'produce' ? frame(correlationId, body) : undefined) }));
      const result = await send(closing.add(adapterFor(broker)), attempt('t'), kafka({ topic }));
      expectFailed(result, 'broker_unreachable');
      expect(result.kind === 'failed' && result.detail).to.include('the other side is no Kafka broker: it answers for other messages than it was sent');
      expect(broker.produced).to.have.lengthOf(1);
    });
  }

  const described = (name: string, error = 0): Buffer => Buffer.concat([i16(error), text(name), Buffer.from([0]), list([])]);
  const otherTopics: readonly (readonly [what: string, topics: (asked: string) => Buffer])[] = [
    ['another topic', () => list([described('other')])],
    ['an error of another topic', () => list([described('other', 3)])],
    ['no topic', () => list([])],
    ['the topic and another one', (asked) => list([described('other', 29), described(asked)])],
    ['the topic twice', (asked) => list([described(asked, 5), described(asked)])],
    ['the topic in other letters', (asked) => list([described(asked.toUpperCase())])],
  ];
  for (const [what, topics] of otherTopics) {
    it(`says that the other side is no Kafka broker, and sends nothing, when metadata describes ${what}`, async () => {
      const broker = closing.add(await FakeKafka.start({
        reply: ({ api, correlationId, body }, { port }) => {
          if (api !== 'metadata') return undefined;
          const asked = topicOfMetadataRequest(body);
          return frame(correlationId, metadataBody({ port, topic: asked, topics: topics(asked) }));
        },
      }));
      const result = await send(closing.add(adapterFor(broker)), attempt('t'), kafka({ topic }));
      expectFailed(result, 'broker_unreachable');
      expect(result.kind === 'failed' && result.detail).to.include('the other side is no Kafka broker');
      expect(broker.produced).to.deep.equal([]);
    });
  }

  for (const [what, offset] of [['-1, which means unknown', Buffer.alloc(8, 0xff)], ['some other number below 0', Buffer.concat([Buffer.alloc(4, 0xff), i32(-7)])]] as const) {
    it(`delivers a whole batch whose offset is ${what}, and says of none of its messages where it stands`, async () => {
      const broker = closing.add(await FakeKafka.start({
        reply: ({ api, correlationId }) => (api === 'produce' ? frame(correlationId, answer(topicEntry(topic, Buffer.concat([i32(0), i16(0), offset, Buffer.alloc(8, 0xff), Buffer.alloc(8)])))) : undefined),
      }));
      const adapter = closing.add(adapterFor(broker));
      const receipts = await Promise.all(['a', 'b', 'c'].map(async (id) => expectDelivered(await send(adapter, attempt(id), kafka({ topic })))));
      expect(receipts).to.deep.equal([0, 0, 0].map((partition) => ({ partition, offset: null })));
      expect(broker.produced, 'batches').to.have.lengthOf(1);
    });
  }

  it('takes the plain answer of a sound broker, whatever its version', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: ({ api, correlationId, body }) => (api === 'produce' ? frame(correlationId, produceBody(targetOfProduceRequest(body))) : undefined) }));
    expectDelivered(await send(closing.add(adapterFor(broker)), attempt('t'), kafka({ topic })));
  });
});
