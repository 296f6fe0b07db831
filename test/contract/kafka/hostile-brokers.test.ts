import { expect } from 'chai';

import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { FakeKafka, type FakeKafkaOptions, type FakeReply, type FakeRequest } from '../../support/fake-kafka.js';
import { hostileBrokers } from './hostile-answers.js';
import { Closing, adapterFor, attempt, expectDelivered, kafka, send, timed } from './sending.js';

/** Short, so that brokers that never answer do not take the tests' time. */
const limits = { sendTimeoutMs: 1_500, connectTimeoutMs: 700 };
/** Brokers tried at once. */
const atOnce = 30;
const innocentLimitMs = 2_000;

describe('kafka adapter: brokers that are none', function () {
  this.timeout(60_000);
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  /** Sends to each of the brokers, and meanwhile to a sound one, one message after the other. @returns by the broker's index */
  async function sendToAll(brokers: readonly FakeKafkaOptions[]): Promise<{ results: DeliveryResult[]; slowestInnocentMs: number }> {
    const sound = closing.add(await FakeKafka.start());
    const adapter = closing.add(adapterFor(sound, { ...limits, maxOpenTopics: 1_000 }));
    const results: DeliveryResult[] = [];
    const innocents = new AbortController();
    let slowestInnocentMs = 0;
    const sendingOn = (async () => {
      for (let nth = 0; !innocents.signal.aborted; nth += 1) {
        const { value, tookMs } = await timed(send(adapter, attempt(`innocent-${nth}`), kafka({ topic: 'innocent' })));
        expectDelivered(value);
        slowestInnocentMs = Math.max(slowestInnocentMs, tookMs);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const waiting = brokers.map((options, index) => ({ options, index }));
    const next = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const broker = await FakeKafka.start(one.options);
        results[one.index] = await send(adapter, attempt(`to-${one.index}`), kafka({ topic: 'topic', broker }));
        await broker.stop();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    innocents.abort();
    await sendingOn;
    return { results, slowestInnocentMs };
  }

  describe('every one of a table', () => {
    let outcome: Awaited<ReturnType<typeof sendToAll>>;
    before(async () => {
      outcome = await sendToAll(hostileBrokers.map(({ options }) => options));
      await closing.closeAll();
    });

    hostileBrokers.forEach(({ name, expected }, index) => {
      it(`fails an attempt with a code of its own, or delivers: a broker that ${name}`, () => {
        const result = outcome.results[index];
        expect(result?.kind === 'failed' ? result.code : result?.kind, JSON.stringify(result)).to.be.oneOf([...expected]);
      });
    });

    it('lets a send to a sound broker through before the time of the others is over', () => {
      expect(outcome.slowestInnocentMs).to.be.below(innocentLimitMs);
    });
  });

  it('says in words that the other side is no Kafka broker', async () => {
    const { results } = await sendToAll([{ reply: () => Buffer.alloc(64) }]);
    expect(results[0]).to.include({ kind: 'failed', code: 'broker_unreachable' });
    expect(results[0]?.kind === 'failed' && results[0].detail).to.include('the other side is no Kafka broker');
  });

  it('takes answers that come byte by byte, each in a packet of its own', async () => {
    const broker = closing.add(await FakeKafka.start({ reply: byteByByte }));
    const adapter = closing.add(adapterFor(broker));
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic: 't' })));
  });

  it('bears 400 answers that were changed at random, and gives none of them the code of an unknown error', async () => {
    const random = seeded(20261128);
    const { results, slowestInnocentMs } = await sendToAll(Array.from({ length: 400 }, () => mutatedBroker(random)));
    const codes = results.map((result) => (result.kind === 'failed' ? result.code : result.kind));
    expect(codes).to.have.lengthOf(400);
    expect(results.filter((result) => result.kind === 'failed' && ['unknown', 'internal'].includes(result.code))).to.deep.equal([]);
    expect(new Set(codes).size, 'the changes reach several ends').to.be.above(3);
    expect(slowestInnocentMs).to.be.below(innocentLimitMs);
  });
});

function byteByByte(request: FakeRequest, broker: FakeKafka): FakeReply {
  const bytes = broker.good(request);
  const sendFrom = (at: number): void => {
    if (at < bytes.length && !request.socket.destroyed) request.socket.write(bytes.subarray(at, at + 1), () => setImmediate(sendFrom, at + 1));
  };
  sendFrom(0);
  return 'silence';
}

/** mulberry32: the same changes in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const edges = [0, 1, -1, -2, 3, 127, 255, 32_767, 65_535, 2 ** 24, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)];

/** A broker whose answers to one kind of request are damaged, all in the same way. */
function mutatedBroker(random: () => number): FakeKafkaOptions {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T; // random() is below 1, and no list is empty
  const api = pick<FakeRequest['api']>(['apiVersions', 'metadata', 'metadata', 'produce', 'produce']);
  const changes = Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({ kind: pick(['byte', 'number', 'cut', 'grow', 'swap']), where: random(), value: pick(edges), byte: Math.floor(random() * 256) }));
  const keepsFrame = random() < 0.8;
  return {
    reply: (request, broker) => {
      if (request.api !== api) return undefined;
      let bytes: Buffer = Buffer.from(broker.good(request));
      for (const { kind, where, value, byte } of changes) {
        const from = keepsFrame ? Math.min(8, bytes.length - 1) : 0;
        const at = from + Math.floor(where * (bytes.length - from));
        if (kind === 'byte') bytes[at] = byte;
        if (kind === 'number' && at + 4 <= bytes.length) bytes.writeInt32BE(value, at);
        if (kind === 'cut') bytes = Buffer.from(bytes.subarray(0, Math.max(at, 1)));
        if (kind === 'grow') bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(byte, byte), bytes.subarray(at)]);
        if (kind === 'swap') bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(at), bytes.subarray(from, at)]);
      }
      if (keepsFrame && bytes.length >= 4) bytes.writeInt32BE(bytes.length - 4, 0);
      return bytes;
    },
  };
}
