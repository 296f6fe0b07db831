import { AnswerReader } from './answer-reader.js';
import { apiKey, newestVersion, type ApiKey } from './api-keys.js';
import type { BrokerAddress } from './cluster-identity.js';
import { NoCommonVersion, NoKafkaBroker } from './no-kafka-broker.js';
import type { ProduceTarget, Question } from './request-reader.js';

/** What a sound answer says beside what kafkajs reads in it. */
export interface AnswerFindings {
  /** Whole milliseconds for which the broker asks us to send nothing (KIP-219), 0 for most. */
  readonly throttleMs: number;
  /** The brokers of the cluster by their numbers, in an answer to Metadata. */
  readonly brokers?: ReadonlyMap<number, BrokerAddress>;
  /** For how long the login holds (KIP-368), in milliseconds, where it does not hold for ever. */
  readonly loginMs?: number;
  /** Goes on to kafkajs in place of the body that came. */
  readonly body?: Buffer;
}

/** Name of the topic, or topic and partition, that the request was about; undefined: not known. */
export type Asked = Pick<Extract<Question, { kind: 'request' }>, 'topic' | 'target'>;

/** Headers of messages, and the offset of a batch, came with this version of Produce (Kafka 0.11). */
const OLDEST_PRODUCE = 3;

/**
 * Largest answer that can be meant, in bytes. We ask for one topic, and send to one partition at a time. Decoding runs in
 * one turn of the event loop, so these limits are what bounds it.
 */
export const largestAnswer: Readonly<Record<ApiKey, number>> = {
  [apiKey.produce]: 4 * 1024,
  // 10,000 partitions with 5 replicas each take 0.8 MB.
  [apiKey.metadata]: 1024 * 1024,
  [apiKey.saslHandshake]: 16 * 1024,
  // 90 requests of Kafka 4 take 600 bytes.
  [apiKey.apiVersions]: 4 * 1024,
  [apiKey.saslAuthenticate]: 16 * 1024,
};

/** Brokers of a cluster. kafkajs makes the objects of two connections for each, connected or not: 40 ms for 500. */
export const MAX_BROKERS = 500;
/** Topics of one answer. We ask for one. */
const MAX_TOPICS = 100;
/** Partitions of a topic. */
export const MAX_PARTITIONS = 10_000;

const UNSUPPORTED_VERSION = 35;
/** In metadata it means that another replica is down. The leader is well all the same. */
const REPLICA_NOT_AVAILABLE = 9;
const NO_LEADER = -1;

/** Error code and number of versions: the part of an ApiVersions answer that tells how long the rest is. */
const VERSIONS_HEAD_BYTES = 6;

/**
 * Can these be the first bytes of an ApiVersions answer? HTTP/2 begins with bytes that read as a fitting length and a fitting correlation
 * id, and then waits for us: without this look it would be taken for a broker that is slow.
 *
 * @param part        what is here of the answer, without length and correlation id
 * @param answerBytes of the whole answer, likewise
 * @throws NoKafkaBroker
 */
export function checkBeginningOfVersions(part: Buffer, answerBytes: number): void {
  if (part.length < VERSIONS_HEAD_BYTES || part.readInt16BE(0) !== 0) return;
  if (part.readInt32BE(2) * 6 > answerBytes - VERSIONS_HEAD_BYTES) throw new NoKafkaBroker('a list is announced to be longer than its answer');
}

/**
 * Looks at one answer before kafkajs does: every count, length and address in it. kafkajs would believe them all, and
 * loop, allocate or throw accordingly, some of it outside every promise.
 *
 * A partition that has an error, or a leader that is not named, is written down as one without a leader, in place. kafkajs
 * takes the first error of any partition as the answer for the whole topic, also for the partitions that are well.
 *
 * An acknowledgement of what was sent is taken, whatever stands beside it: it is the word on which a message counts as
 * delivered. Everything else in that answer is left out, since kafkajs takes the first error of any partition for all of them.
 *
 * @param version of the request
 * @param body    the answer without length and correlation id; metadata and the answer to a login may be changed in it
 * @param asked   what the request was about
 * @throws  NoKafkaBroker, NoCommonVersion
 */
export function checkAnswer(key: ApiKey, version: number, body: Buffer, asked: Asked = {}): AnswerFindings {
  const reader = new AnswerReader(body);
  switch (key) {
    case apiKey.produce:
      return checkProduce(reader, version, body, asked.target);
    case apiKey.metadata:
      return checkMetadata(reader, version, body, asked.topic);
    case apiKey.apiVersions:
      return { throttleMs: checkApiVersions(reader, version) };
    case apiKey.saslHandshake:
      checkSaslHandshake(reader);
      return noFindings;
    case apiKey.saslAuthenticate:
      return checkSaslAuthenticate(reader, version, body);
  }
}

const noFindings: AnswerFindings = { throttleMs: 0 };

function checkProduce(reader: AnswerReader, version: number, body: Buffer, target: ProduceTarget | undefined): AnswerFindings {
  const partitionBytes = version >= 5 ? 30 : version >= 2 ? 22 : 14;
  let entries = 0;
  let isOurs = false;
  let acknowledgedAt: number | undefined;
  const topics = reader.count(6);
  for (let topic = 0; topic < topics; topic += 1) {
    const name = reader.text();
    const partitions = reader.count(partitionBytes);
    for (let partition = 0; partition < partitions; partition += 1) {
      const { at } = reader;
      entries += 1;
      isOurs = reader.int32() === target?.partition && name === target.topic;
      if (reader.int16() === 0 && isOurs) acknowledgedAt ??= at;
      reader.skip(partitionBytes - 6);
    }
  }
  const throttleMs = version < 1 ? 0 : clientSideThrottle(reader.int32(), version >= 6);
  if (target === undefined || (entries === 1 && isOurs)) return { throttleMs };
  if (acknowledgedAt === undefined) throw new NoKafkaBroker('it answers for other messages than it was sent');
  return { throttleMs, body: acknowledgement(target, body.subarray(acknowledgedAt, acknowledgedAt + partitionBytes)) };
}

/** Body of an answer to Produce that acknowledges one batch, and asks for no wait. */
function acknowledgement({ topic }: ProduceTarget, entry: Buffer): Buffer {
  const name = Buffer.from(topic);
  const body = Buffer.alloc(4 + 2 + name.length + 4 + entry.length + 4);
  body.writeInt32BE(1, 0);
  body.writeInt16BE(name.length, 4);
  name.copy(body, 6);
  body.writeInt32BE(1, 6 + name.length);
  entry.copy(body, 10 + name.length);
  return body;
}

function checkMetadata(reader: AnswerReader, version: number, body: Buffer, asked: string | undefined): AnswerFindings {
  const throttleMs = version >= 3 ? clientSideThrottle(reader.int32(), version >= 6) : 0;
  const brokers = reader.count(version >= 1 ? 12 : 10);
  if (brokers > MAX_BROKERS) throw new NoKafkaBroker(`it names ${brokers} brokers`);
  const nodes = new Map<number, BrokerAddress>();
  for (let broker = 0; broker < brokers; broker += 1) {
    const node = reader.int32();
    const host = reader.text();
    if (host === '') throw new NoKafkaBroker('it names a broker without a host');
    const port = reader.int32();
    nodes.set(node, { host, port });
    if (port < 1 || port > 65_535) throw new NoKafkaBroker(`it names a broker with the port ${port}`);
    if (version >= 1) reader.skipString();
  }
  if (version >= 2) reader.skipString();
  if (version >= 1) reader.skip(4);
  const topics = reader.count(version >= 1 ? 9 : 8);
  if (topics > MAX_TOPICS) throw new NoKafkaBroker(`it describes ${topics} topics, and was asked for one`);
  if (asked !== undefined && topics !== 1) throw new NoKafkaBroker(`it describes ${topics} topics, and was asked for one`);
  let partitionsLeft = MAX_PARTITIONS;
  for (let topic = 0; topic < topics; topic += 1) {
    reader.skip(2);
    const name = reader.text();
    if (asked !== undefined && name !== asked) throw new NoKafkaBroker('it describes another topic than it was asked for');
    if (version >= 1) reader.skip(1);
    const partitions = reader.count(version >= 5 ? 22 : 18);
    partitionsLeft -= partitions;
    if (partitionsLeft < 0) throw new NoKafkaBroker(`it describes more than ${MAX_PARTITIONS} partitions`);
    for (let partition = 0; partition < partitions; partition += 1) checkPartition(reader, version, body, nodes);
  }
  return { throttleMs, brokers: nodes };
}

function checkPartition(reader: AnswerReader, version: number, body: Buffer, nodes: ReadonlyMap<number, unknown>): void {
  const start = reader.at;
  const errorCode = reader.int16();
  if (reader.int32() < 0) throw new NoKafkaBroker('it numbers a partition below 0');
  const leader = reader.int32();
  for (let list = version >= 5 ? 3 : 2; list > 0; list -= 1) reader.skip(reader.count(4) * 4);
  const isLed = (errorCode === 0 || errorCode === REPLICA_NOT_AVAILABLE) && nodes.has(leader);
  if (errorCode !== 0) body.writeInt16BE(0, start);
  if (!isLed && leader !== NO_LEADER) body.writeInt32BE(NO_LEADER, start + 6);
}

function checkApiVersions(reader: AnswerReader, version: number): number {
  const errorCode = reader.int16();
  if (errorCode === UNSUPPORTED_VERSION) {
    // kafkajs asks once more, with an older version. There is none below 0.
    if (version === 0) throw new NoCommonVersion('ApiVersions');
    return 0;
  }
  const missing = new Set<number>([apiKey.produce, apiKey.metadata]);
  const seen = new Set<number>();
  const offered = reader.count(6);
  for (let api = 0; api < offered; api += 1) {
    const key = reader.int16();
    const oldest = reader.int16();
    const newest = reader.int16();
    const ours = key in newestVersion ? newestVersion[key as ApiKey] : undefined; // it is one of ours: that was the question
    if (ours === undefined) continue;
    // kafkajs would go by the last one, which may be older than what we need.
    if (seen.has(key)) throw new NoKafkaBroker('it offers a request twice');
    seen.add(key);
    if (oldest < 0 || newest < oldest) throw new NoKafkaBroker('it offers versions from more to less');
    if (oldest <= ours && (key !== apiKey.produce || newest >= OLDEST_PRODUCE)) missing.delete(key);
  }
  if (errorCode === 0 && missing.size > 0) throw new NoCommonVersion(missing.has(apiKey.produce) ? 'Produce' : 'Metadata');
  // Some that speak Kafka's protocol leave the last field out.
  return version >= 1 && reader.left >= 4 ? clientSideThrottle(reader.int32(), version >= 2) : 0;
}

function checkSaslHandshake(reader: AnswerReader): void {
  if (reader.int16() === UNSUPPORTED_VERSION) return;
  const mechanisms = reader.count(2);
  for (let mechanism = 0; mechanism < mechanisms; mechanism += 1) reader.skipString();
}

/**
 * A login that ends is written down as one that does not, in place. kafkajs renews it 10 s before its end, with the next request:
 * where it holds for no more than that with every request, which brokers refuse. We change to a new connection in time.
 */
function checkSaslAuthenticate(reader: AnswerReader, version: number, body: Buffer): AnswerFindings {
  if (reader.int16() === UNSUPPORTED_VERSION) return noFindings;
  reader.skipString();
  reader.skipBytes();
  if (version < 1) return noFindings;
  const { at } = reader;
  const loginMs = reader.int64();
  if (loginMs <= 0) return noFindings;
  body.writeBigInt64BE(0n, at);
  return { throttleMs: 0, loginMs };
}

/** Before KIP-219 a broker waited itself before it answered, so the time that it names is over. */
function clientSideThrottle(throttleMs: number, isOurs: boolean): number {
  return isOurs ? Math.max(throttleMs, 0) : 0;
}
