import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import { beginsLikeTls } from '../../../shared/tls/tls-fault.js';
import {
  apiVersionsBody,
  brokerEntry,
  frame,
  i16,
  i32,
  list,
  metadataBody,
  partitionEntry,
  produceBody,
  targetOfProduceRequest,
  text,
  topicOfMetadataRequest,
  type FakeKafka,
  type FakeKafkaOptions,
  type FakeRequest,
} from '../../support/fake-kafka.js';

/** A "broker" that misbehaves, and what a send to it may come to. */
export interface HostileBroker {
  readonly name: string;
  readonly options: FakeKafkaOptions;
  readonly expected: readonly (DeliveryErrorCode | 'delivered')[];
}

type Api = FakeRequest['api'];

const notKafka: readonly DeliveryErrorCode[] = ['broker_unreachable'];
/** Takes the request and says too little. */
const tooLate: readonly DeliveryErrorCode[] = ['broker_timed_out'];

/** Answers every request of a kind by bytes of its own. */
function says(name: string, api: Api, bytes: (request: FakeRequest, broker: FakeKafka) => Buffer | 'silence', expected: HostileBroker['expected'] = notKafka): HostileBroker {
  return { name: `${name} (${api})`, expected, options: { reply: (request, broker) => (request.api === api ? bytes(request, broker) : undefined) } };
}

/** A sound frame with a body of its own. */
function body(name: string, api: Api, make: (request: FakeRequest, broker: FakeKafka) => Buffer, expected: HostileBroker['expected'] = notKafka): HostileBroker {
  return says(name, api, (request, broker) => frame(request.correlationId, make(request, broker)), expected);
}

function metadata(name: string, changes: (request: FakeRequest, broker: FakeKafka) => Partial<Parameters<typeof metadataBody>[0]>, expected: HostileBroker['expected'] = notKafka): HostileBroker {
  return body(name, 'metadata', (request, broker) => metadataBody({ port: broker.port, topic: topicOfMetadataRequest(request.body), ...changes(request, broker) }), expected);
}

const prefixes: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['a length of -1', Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1])],
  ['the smallest length', Buffer.from([0x80, 0, 0, 0])],
  ['the largest length', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
  ['a length of 0', i32(0)],
  ['zeros', Buffer.alloc(64)],
  ['a length of 1', Buffer.from([0, 0, 0, 1, 7])],
  ['a length of 3', Buffer.from([0, 0, 0, 3, 1, 2, 3])],
  ['a length of 16 MiB', i32(16 * 1024 * 1024)],
  ['a telnet negotiation', Buffer.from([0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20])],
  ['an HTTP answer', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['HTTP/2 settings of one', Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x64])],
  ['HTTP/2 settings of none', Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])],
  ['HTTP/2 settings', Buffer.from([0, 0, 0x12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x64, 0, 4, 0, 0xff, 0xff, 0, 0, 6, 0, 0, 0x20, 0])],
  ['a Redis error', Buffer.from("-ERR unknown command '\\x00'\r\n")],
  ['a TLS alert', Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46])],
  ['JSON', Buffer.from('{"error":"bad request"}')],
];

const greetings: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
  ['a greeting of SMTP', Buffer.from('220 mail.example ESMTP\r\n')],
  ['a greeting of MySQL', Buffer.from([0x4a, 0, 0, 0, 0x0a, 0x38, 0x2e, 0x30])],
  ['a telnet negotiation', Buffer.from([0xff, 0xfd, 0x18])],
  ['one zero', Buffer.alloc(1)],
];

const produced = (request: FakeRequest, changes: Partial<Parameters<typeof produceBody>[0]>): Buffer =>
  produceBody({ ...targetOfProduceRequest(request.body), ...changes });

/** Sends the same small frame for ever. */
function stream(request: FakeRequest, bytes: Buffer): 'silence' {
  const many = Buffer.concat(Array.from({ length: 2_000 }, () => bytes));
  const go = (): void => {
    if (request.socket.destroyed) return;
    if (request.socket.write(many)) setImmediate(go);
    else request.socket.once('drain', go);
  };
  go();
  return 'silence';
}

const stages: readonly Api[] = ['apiVersions', 'metadata', 'produce'];

export const hostileBrokers: readonly HostileBroker[] = [
  ...prefixes.flatMap(([name, bytes]) => stages.map((stage) => says(`answers with ${name}`, stage, () => bytes, beginsLikeTls(bytes) && stage === 'apiVersions' ? ['tls_required'] : notKafka))),
  ...greetings.map(([name, bytes]): HostileBroker => ({ name: `greets with ${name}`, expected: notKafka, options: { greet: (socket) => socket.write(bytes) } })),
  ...stages.flatMap((stage) => [
    says('closes the connection', stage, ({ socket }) => { socket.end(); return 'silence'; }),
    says('resets the connection', stage, ({ socket }) => { socket.resetAndDestroy(); return 'silence'; }),
    says('never answers', stage, () => 'silence', tooLate),
    says('sends half an answer and is silent', stage, (request, broker) => broker.good(request).subarray(0, 9), tooLate),
    says('sends half an answer and closes', stage, (request, broker) => { request.socket.end(broker.good(request).subarray(0, 9)); return 'silence'; }),
    says('cuts an answer inside its frame', stage, (request, broker) => frame(request.correlationId, broker.good(request).subarray(8, -5)), stage === 'apiVersions' ? [...notKafka, 'delivered'] : notKafka),
    says('answers another request', stage, (request, broker) => frame(request.correlationId + 7, broker.good(request).subarray(8))),
    says('streams answers to nothing', stage, (request) => stream(request, frame(77, i16(0)))),
    says('streams the right answer', stage, (request, broker) => stream(request, broker.good(request)), [...notKafka, 'delivered']),
    says('answers twice', stage, (request, broker) => Buffer.concat([broker.good(request), broker.good(request)]), [...notKafka, 'delivered']),
    body('answers with an empty body', stage, () => Buffer.alloc(0)),
    body('answers with one byte', stage, () => Buffer.alloc(1)),
    body('answers with bytes that are all set', stage, () => Buffer.alloc(60, 0xff), [...notKafka, 'broker_rejected', 'broker_unavailable', 'topic_unknown']),
  ]),
  { name: 'closes at once', expected: notKafka, options: { greet: (socket) => socket.destroy() } },

  body('offers nothing', 'apiVersions', () => apiVersionsBody([]), ['broker_rejected']),
  body('offers no Metadata', 'apiVersions', () => apiVersionsBody([[0, 0, 7], [18, 0, 2]]), ['broker_rejected']),
  body('offers newer versions only', 'apiVersions', () => apiVersionsBody([[0, 8, 12], [3, 9, 13]]), ['broker_rejected']),
  body('offers ancient versions only', 'apiVersions', () => apiVersionsBody([[0, 0, 2], [3, 0, 1]]), ['broker_rejected']),
  body('offers from more to less', 'apiVersions', () => apiVersionsBody([[0, 7, 3], [3, 0, 6]])),
  body('offers negative versions', 'apiVersions', () => apiVersionsBody([[0, -5, -1], [3, -1, -1]])),
  body('announces 2^31-1 versions', 'apiVersions', () => Buffer.concat([i16(0), i32(0x7fffffff), Buffer.alloc(30)])),
  body('announces -2 versions', 'apiVersions', () => Buffer.concat([i16(0), i32(-2)])),
  body('knows no version of ApiVersions', 'apiVersions', () => i16(35), ['broker_rejected']),
  body('refuses ApiVersions', 'apiVersions', () => Buffer.concat([i16(42), list([]), i32(0)]), ['broker_rejected']),
  body('asks for 24 days of patience', 'apiVersions', () => apiVersionsBody(undefined, 0x7fffffff), ['broker_throttled']),

  metadata('names 10,000 brokers', ({ nth }) => ({ brokers: Array.from({ length: 10_000 }, (_, node) => brokerEntry('127.0.0.1', 1 + ((node + nth) % 60_000), node)) })),
  metadata('names 400 brokers where nothing listens', () => ({ brokers: Array.from({ length: 400 }, (_, node) => brokerEntry('127.0.0.1', 1, node + 5)) }), ['broker_unavailable', 'broker_unreachable', 'broker_timed_out']),
  metadata('names itself under new numbers for ever', ({ nth }, { port }) => ({ brokers: [brokerEntry('127.0.0.1', port, 100 + nth)] }), ['broker_unavailable', 'broker_unreachable']),
  metadata('names a broker without a host', (_, { port }) => ({ brokers: [brokerEntry('', port)] })),
  metadata('names a broker at port 0', () => ({ brokers: [brokerEntry('127.0.0.1', 0)] })),
  metadata('names a broker at port 70000', () => ({ brokers: [brokerEntry('127.0.0.1', 70_000)] })),
  metadata('names a host with a zero byte', (_, { port }) => ({ brokers: [brokerEntry('a\0b', port)] })),
  metadata('names a host of spaces', (_, { port }) => ({ brokers: [brokerEntry('   ', port)] })),
  metadata('names a host of 30,000 letters', (_, { port }) => ({ brokers: [brokerEntry('h'.repeat(30_000), port)] })),
  metadata('names no broker', () => ({ brokers: [] }), ['broker_unavailable', 'broker_unreachable']),
  metadata('describes no topic', () => ({ topics: list([]) })),
  metadata('describes another topic', () => ({ topic: 'other' })),
  metadata('describes no partition', () => ({ partitions: [] }), ['broker_unavailable']),
  metadata('describes a partition below 0', () => ({ partitions: [{ id: -1 }] })),
  metadata('describes partitions with gaps', () => ({ partitions: [{ id: 3_000_000 }, { id: 7 }] }), ['broker_unavailable']),
  metadata('describes one partition many times', () => ({ partitions: Array.from({ length: 500 }, () => ({ id: 0 })) }), ['delivered', 'broker_unavailable']),
  metadata('has a leader that it does not name', () => ({ partitions: [{ id: 0, leader: 9 }] }), ['broker_unavailable']),
  metadata('has only partitions without a leader', () => ({ partitions: [{ id: 0, error: 5, leader: -1 }] }), ['broker_unavailable']),
  metadata('describes 12,000 partitions', () => ({ partitions: Array.from({ length: 12_000 }, (_, id) => ({ id })) })),
  metadata('announces 2^31-1 topics', () => ({ topics: i32(0x7fffffff) })),
  metadata('describes 5,000 topics', () => ({ topics: list(Array.from({ length: 5_000 }, () => Buffer.concat([i16(0), text('t'), Buffer.from([0]), list([])]))) })),
  metadata('announces two million partitions', ({ body: asked }) => ({ topics: Buffer.concat([i32(1), i16(0), text(topicOfMetadataRequest(asked)), Buffer.from([0]), i32(2_000_000), partitionEntry({ id: 0 })]) })),
  metadata('announces 2^30 replicas', ({ body: asked }) => ({ topics: Buffer.concat([i32(1), i16(0), text(topicOfMetadataRequest(asked)), Buffer.from([0]), i32(1), i16(0), i32(0), i32(1), i32(2 ** 30), i32(1)]) })),
  body('announces 2^31-1 brokers', 'metadata', () => Buffer.concat([i32(0), i32(0x7fffffff), Buffer.alloc(30)])),
  body('names a host of -5 letters', 'metadata', () => Buffer.concat([i32(0), i32(1), i32(1), i16(-5), Buffer.alloc(40)])),
  says('sends metadata of 3 MiB', 'metadata', ({ correlationId }) => frame(correlationId, Buffer.alloc(3 * 1024 * 1024))),
  metadata('asks for 24 days of patience', () => ({ throttleMs: 0x7fffffff }), ['broker_throttled', 'delivered']),

  body('acknowledges nothing', 'produce', () => Buffer.concat([list([]), i32(0)])),
  body('acknowledges no partition', 'produce', (request) => Buffer.concat([list([Buffer.concat([text(targetOfProduceRequest(request.body).topic), list([])])]), i32(0)])),
  body('acknowledges another topic', 'produce', (request) => produced(request, { topic: 'other' })),
  body('acknowledges another partition', 'produce', (request) => produced(request, { partition: 5 })),
  body('announces 2^31-1 partitions', 'produce', (request) => Buffer.concat([i32(1), text(targetOfProduceRequest(request.body).topic), i32(0x7fffffff), Buffer.alloc(30)])),
  body('sends trailing bytes', 'produce', (request) => Buffer.concat([produced(request, {}), Buffer.alloc(100)]), ['delivered']),
  body('says for ever that another broker leads', 'produce', (request) => produced(request, { error: 6 }), ['broker_unavailable']),
  body('has an error of its own invention', 'produce', (request) => produced(request, { error: 4711 }), ['broker_rejected']),
  body('asks for 24 days of patience', 'produce', (request) => produced(request, { throttleMs: 0x7fffffff }), ['delivered']),
  body('asks for negative patience', 'produce', (request) => produced(request, { throttleMs: -5 }), ['delivered']),
];
