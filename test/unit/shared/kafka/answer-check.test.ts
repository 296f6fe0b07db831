import { expect } from 'chai';
import fc from 'fast-check';

import { checkAnswer, MAX_BROKERS, MAX_PARTITIONS } from '../../../../shared/kafka/answer-check.js';
import { apiKey, newestVersion, type ApiKey } from '../../../../shared/kafka/api-keys.js';
import { NoCommonVersion, NoKafkaBroker } from '../../../../shared/kafka/no-kafka-broker.js';
import { apiVersionsBody, brokerEntry, i16, i32, list, metadataBody, produceBody, text } from '../../../support/fake-kafka.js';

const topic = 'orders';
const metadata = (changes: Partial<Parameters<typeof metadataBody>[0]> = {}): Buffer => metadataBody({ port: 9092, topic, ...changes });
const partitionsAt = metadata({ partitions: [] }).length;

describe('checkAnswer', () => {
  it('tells for how long the broker asks to send nothing, and nothing where the broker has waited itself', () => {
    expect(checkAnswer(apiKey.produce, 7, produceBody({ topic, partition: 0, throttleMs: 1_234 })).throttleMs).to.equal(1_234);
    expect(checkAnswer(apiKey.produce, 5, produceBody({ topic, partition: 0, throttleMs: 1_234 })).throttleMs).to.equal(0);
    expect(checkAnswer(apiKey.produce, 7, produceBody({ topic, partition: 0, throttleMs: -1 })).throttleMs).to.equal(0);
    expect(checkAnswer(apiKey.metadata, 6, metadata({ throttleMs: 99 })).throttleMs).to.equal(99);
    expect(checkAnswer(apiKey.apiVersions, 2, apiVersionsBody(undefined, 7)).throttleMs).to.equal(7);
    expect(checkAnswer(apiKey.apiVersions, 2, apiVersionsBody().subarray(0, -4)).throttleMs, 'left out by some').to.equal(0);
  });

  it('takes the largest cluster and topic that are allowed', () => {
    const brokers = Array.from({ length: MAX_BROKERS }, (_, node) => brokerEntry('h', 1, node));
    const partitions = Array.from({ length: MAX_PARTITIONS }, (_, id) => ({ id }));
    expect(checkAnswer(apiKey.metadata, 6, metadata({ brokers, partitions })).throttleMs).to.equal(0);
    expect(() => checkAnswer(apiKey.metadata, 6, metadata({ brokers: [...brokers, brokerEntry('h', 1, -2)] }))).to.throw(NoKafkaBroker, '501 brokers');
    expect(() => checkAnswer(apiKey.metadata, 6, metadata({ partitions: [...partitions, { id: MAX_PARTITIONS }] }))).to.throw(NoKafkaBroker, 'partitions');
  });

  it('writes a partition with an error or an unknown leader down as one without a leader, and leaves the others as they are', () => {
    const body = metadata({ partitions: [{ id: 0 }, { id: 1, error: 5, leader: 1 }, { id: 2, error: 9, leader: 1 }, { id: 3, leader: 7 }, { id: 4, leader: -1 }] });
    checkAnswer(apiKey.metadata, 6, body);
    expect(body.equals(metadata({ partitions: [{ id: 0 }, { id: 1, leader: -1 }, { id: 2 }, { id: 3, leader: -1 }, { id: 4, leader: -1 }] }))).to.equal(true);
  });

  it('tells for how long a login holds, and writes it down as one that holds for ever', () => {
    const login = (ms: bigint): Buffer => {
      const body = Buffer.concat([i16(0), i16(-1), i32(0), Buffer.alloc(8)]);
      body.writeBigInt64BE(ms, body.length - 8);
      return body;
    };
    const body = login(3_600_000n);
    expect(checkAnswer(apiKey.saslAuthenticate, 1, body)).to.deep.equal({ throttleMs: 0, loginMs: 3_600_000 });
    expect(body.equals(login(0n))).to.equal(true);
    for (const ms of [0n, -1n]) expect(checkAnswer(apiKey.saslAuthenticate, 1, login(ms))).to.deep.equal({ throttleMs: 0 });
  });

  const broken: readonly (readonly [why: string, key: ApiKey, body: Buffer])[] = [
    ['a count of 2^31-1 partitions in 50 bytes', apiKey.metadata, (() => { const body = metadata({ partitions: [{ id: 0 }] }); body.writeInt32BE(2 ** 31 - 1, partitionsAt - 4); return body; })()],
    ['a count of -2', apiKey.produce, i32(-2)],
    ['a text longer than the answer', apiKey.produce, Buffer.concat([i32(1), i16(300), Buffer.alloc(20)])],
    ['a text of -2 bytes', apiKey.produce, Buffer.concat([i32(1), i16(-2), Buffer.alloc(20)])],
    ['a host without letters', apiKey.metadata, metadata({ brokers: [brokerEntry('', 9092)] })],
    ['the port 0', apiKey.metadata, metadata({ brokers: [brokerEntry('h', 0)] })],
    ['the port 65536', apiKey.metadata, metadata({ brokers: [brokerEntry('h', 65_536)] })],
    ['a partition below 0', apiKey.metadata, metadata({ partitions: [{ id: -1 }] })],
    ['versions from more to less', apiKey.apiVersions, apiVersionsBody([[0, 7, 3], [3, 0, 6]])],
    ['a request twice, of which kafkajs takes the last', apiKey.apiVersions, apiVersionsBody([[0, 0, 7], [3, 0, 6], [0, 0, 1]])],
    ['a token longer than the answer', apiKey.saslAuthenticate, Buffer.concat([i16(0), i16(-1), i32(40), Buffer.alloc(20)])],
    ['a list of mechanisms that is cut', apiKey.saslHandshake, Buffer.concat([i16(0), i32(2), text('PLAIN')])],
    ['nothing', apiKey.saslHandshake, Buffer.alloc(0)],
  ];
  for (const [why, key, body] of broken) {
    it(`refuses ${why}`, () => {
      expect(() => checkAnswer(key, newestVersion[key], body)).to.throw(NoKafkaBroker);
    });
  }

  const noCommon: readonly (readonly [why: string, version: number, body: Buffer])[] = [
    ['nothing at all', 2, apiVersionsBody([])],
    ['only versions of Produce that are newer', 2, apiVersionsBody([[0, 8, 12], [3, 0, 6]])],
    ['only versions of Produce without headers', 2, apiVersionsBody([[0, 0, 2], [3, 0, 6]])],
    ['only versions of Metadata that are newer', 2, apiVersionsBody([[0, 3, 12], [3, 9, 13]])],
    ['no ApiVersions, not even the oldest', 0, i16(35)],
  ];
  for (const [why, version, body] of noCommon) {
    it(`tells a broker that is too old or too new from none at all: it offers ${why}`, () => {
      expect(() => checkAnswer(apiKey.apiVersions, version, body)).to.throw(NoCommonVersion);
    });
  }

  it('takes what Kafka 4 offers, whose newest versions kafkajs does not know, and the refusal of a version', () => {
    expect(checkAnswer(apiKey.apiVersions, 2, apiVersionsBody([[0, 0, 13], [3, 0, 13], [17, 0, 1], [18, 0, 4], [36, 0, 2], [90, 0, 0]])).throttleMs).to.equal(0);
    expect(checkAnswer(apiKey.apiVersions, 2, i16(35)).throttleMs).to.equal(0);
    expect(checkAnswer(apiKey.saslHandshake, 1, Buffer.concat([i16(33), list([text('PLAIN')])])).throttleMs).to.equal(0);
    expect(checkAnswer(apiKey.saslAuthenticate, 1, Buffer.concat([i16(0), i16(-1), i32(-1), Buffer.alloc(8)])).throttleMs).to.equal(0);
  });

  it('throws nothing of another class for any bytes', () => {
    const keys = fc.constantFrom(...Object.values(apiKey));
    fc.assert(fc.property(keys, fc.nat(7), fc.uint8Array({ maxLength: 200 }), (key, version, bytes) => {
      try {
        checkAnswer(key, Math.min(version, newestVersion[key]), Buffer.from(bytes));
      } catch (error) {
        if (!(error instanceof NoKafkaBroker || error instanceof NoCommonVersion)) throw error;
      }
    }), { numRuns: 2_000 });
  });
});
