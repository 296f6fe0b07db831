import type { Socket } from 'node:net';

import { pour, trickle, type Attacker } from './attack.js';
import { noNeighbourSuffers } from './no-neighbour-suffers.js';

const MIB = 1_048_576;
const API_VERSIONS = 18;
const METADATA = 3;

const int8 = (n: number): Buffer => Buffer.from([n & 0xff]);
const int16 = (n: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(n);
  return bytes;
};
const int32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int16(value.length), Buffer.from(value)]);

/** A whole answer: size, correlation id, body. */
const frame = (correlationId: number, body: Buffer): Buffer => Buffer.concat([int32(4 + body.length), int32(correlationId), body]);

/** Produce 0 to 7, Metadata 0 to 5, ApiVersions 0 to 1, InitProducerId 0 to 1; no error. */
const versions = Buffer.concat([int16(0), int32(4), ...[[0, 0, 7], [3, 0, 5], [18, 0, 1], [22, 0, 1]].flatMap((row) => row.map(int16))]);

/** A description of a cluster, up to version 5: no throttle, brokers, cluster id, controller, topics. */
function metadata(brokers: Buffer, topics: Buffer): Buffer {
  return Buffer.concat([int32(0), brokers, text('c'), int32(1), topics]);
}

const broker = (id: number, port: number): Buffer => Buffer.concat([int32(id), text('127.0.0.1'), int32(port), int16(-1)]);
const oneBroker = (port: number): Buffer => Buffer.concat([int32(1), broker(1, port)]);
const partition = (id: number): Buffer => Buffer.concat([int16(0), int32(id), int32(1), int32(1), int32(1), int32(1), int32(1), int32(0)]);
const topic = (partitions: number): Buffer => Buffer.concat([int16(0), text('t'), int8(0), int32(partitions), ...Array.from({ length: partitions }, (_, id) => partition(id))]);

interface KafkaRequest {
  readonly api: number;
  readonly correlationId: number;
}

/** Calls `onRequest` for each whole request. */
function readRequests(socket: Socket, onRequest: (request: KafkaRequest) => void): void {
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 12 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      onRequest({ api: bytes.readInt16BE(4), correlationId: bytes.readInt32BE(8) });
      bytes = bytes.subarray(4 + bytes.readInt32BE(0));
    }
  });
}

type KafkaServer = (socket: Socket, port: number) => void;

/** Twenty tasks twice a second to something that listens where a Kafka broker should. */
function host(name: string, serve: KafkaServer, rest: Partial<Attacker> = {}): Attacker {
  return {
    name,
    ...rest,
    async start(attack) {
      const port = await attack.listen((socket) => {
        socket.resume();
        serve(socket, port);
      });
      attack.every(500, () => attack.submit(20, (nth) => ({ destination_type: 'kafka', destination: { host: '127.0.0.1', port, topic: 't', key: `k${nth}` } })));
    },
  };
}

/** Something that answers whatever comes, and then perhaps goes on for ever. */
const says = (name: string, bytes: Buffer | string, rest?: Partial<Attacker>): Attacker => host(name, (socket) => socket.once('data', () => socket.write(bytes)), rest);
const pours = (name: string, head: Buffer | string, block: Buffer, rest?: Partial<Attacker>): Attacker =>
  host(name, (socket) => socket.once('data', () => {
    if (head.length > 0) socket.write(head);
    pour(socket, block);
  }), rest);

/** A broker until the description of its cluster is asked for. */
const describes = (name: string, body: (port: number) => Buffer, rest?: Partial<Attacker>): Attacker =>
  host(name, (socket, port) => readRequests(socket, ({ api, correlationId }) => {
    if (api === API_VERSIONS) socket.write(frame(correlationId, versions));
    else if (api === METADATA) socket.write(frame(correlationId, body(port)));
  }), rest);

/** A broker until something is to be stored. */
const stores = (name: string, answer: (socket: Socket, correlationId: number) => void, rest?: Partial<Attacker>): Attacker =>
  host(name, (socket, port) => readRequests(socket, ({ api, correlationId }) => {
    if (api === API_VERSIONS) socket.write(frame(correlationId, versions));
    else if (api === METADATA) socket.write(frame(correlationId, metadata(oneBroker(port), Buffer.concat([int32(1), topic(3)]))));
    else answer(socket, correlationId);
  }), rest);

const unknownFrames = Buffer.concat(Array.from({ length: 4_000 }, (_, nth) => frame(1_000_000 + nth, int32(0))));

const hosts: readonly Attacker[] = [
  says('telnet', Buffer.from([0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20])),
  says('a size of -1', Buffer.concat([int32(-1), int32(1)])),
  says('a size of 0', Buffer.concat([int32(0), int32(0), int32(0)])),
  says('a size of 3', Buffer.concat([int32(3), Buffer.alloc(16)])),
  says('a size of 1, and one byte', Buffer.concat([int32(1), int8(7)]), { isLongOnly: true }),
  says('a size of 2^31 - 1', Buffer.concat([int32(0x7fffffff), Buffer.alloc(64)])),
  says('an HTTP answer', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n', { isLongOnly: true }),
  says('an SSH greeting', 'SSH-2.0-OpenSSH_9.6\r\n', { isLongOnly: true }),
  says('a TLS alert', Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28]), { isLongOnly: true }),
  pours('zeros without end', '', Buffer.alloc(65_536)),
  pours('small frames with unknown correlation ids', '', unknownFrames),
  pours('an answer that is always promised to be whole soon', int32(15 * MIB), Buffer.alloc(65_536, 1)),
  host('an answer of 15 MiB, a byte each 10 ms', (socket) => socket.once('data', () => {
    socket.write(int32(15 * MIB));
    trickle(socket, 10);
  })),
  host('no answer', () => undefined),
  host('the end of the connection', (socket) => socket.once('data', () => socket.end())),
  host('a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), { isLongOnly: true }),

  host('a table of versions of 2^31 - 1 rows', (socket) => readRequests(socket, ({ correlationId }) => socket.write(frame(correlationId, Buffer.concat([int16(0), int32(0x7fffffff)]))))),
  host('a table of versions of 1,000,000 rows', (socket) => readRequests(socket, ({ correlationId }) => socket.write(frame(correlationId, Buffer.concat([int16(0), int32(1_000_000), Buffer.alloc(6_000_000)]))))),
  host('a good table of versions, and then zeros', (socket) => {
    let asked = 0;
    socket.on('data', (request: Buffer) => {
      asked += 1;
      if (asked === 1) socket.write(frame(request.readInt32BE(8), versions));
      else pour(socket, Buffer.alloc(65_536));
    });
  }),

  describes('a cluster of 2^31 - 1 brokers', () => Buffer.concat([int32(0), int32(0x7fffffff)])),
  describes('a cluster of -5 brokers', () => Buffer.concat([int32(0), int32(-5), Buffer.alloc(64)]), { isLongOnly: true }),
  describes('a cluster of 500,000 brokers', (port) => metadata(Buffer.concat([int32(500_000), ...Array.from({ length: 500_000 }, (_, id) => broker(id, port))]), Buffer.concat([int32(1), topic(1)]))),
  describes('a topic of 300,000 partitions', (port) => metadata(oneBroker(port), Buffer.concat([int32(1), topic(300_000)]))),
  describes('300,000 topics', (port) => metadata(oneBroker(port), Buffer.concat([int32(300_000), ...Array.from({ length: 300_000 }, () => topic(0))])), { isLongOnly: true }),
  describes('a cluster whose brokers have no name', () => metadata(Buffer.concat([int32(1), int32(1), text(''), int32(0), int16(-1)]), Buffer.concat([int32(1), topic(1)])), { isLongOnly: true }),
  describes('a topic without a leader', (port) => metadata(oneBroker(port), Buffer.concat([int32(1), int16(0), text('t'), int8(0), int32(1), int16(5), int32(0), int32(-1), int32(0), int32(0), int32(0)]))),

  stores('no answer to what is to be stored', () => undefined),
  stores('another correlation id', (socket, correlationId) => socket.write(frame(correlationId + 1, Buffer.alloc(64))), { isLongOnly: true }),
  stores('an answer that is too short', (socket, correlationId) => socket.write(frame(correlationId, int32(1)))),
  stores('an answer about 2^31 - 1 topics', (socket, correlationId) => socket.write(frame(correlationId, Buffer.concat([int32(0x7fffffff), Buffer.alloc(64)]))), { isLongOnly: true }),
  stores('an answer about 2,000,000 topics without a name', (socket, correlationId) => socket.write(frame(correlationId, Buffer.concat([int32(2_000_000), Buffer.alloc(14 * MIB)])))),
  stores('the wish to be left alone for a day', (socket, correlationId) => socket.write(frame(correlationId, Buffer.concat([int32(1), text('t'), int32(1), int32(0), int16(0), Buffer.alloc(8), Buffer.alloc(8, 0xff), Buffer.alloc(8), int32(86_400_000)])))),
  stores('zeros in place of an answer', (socket) => pour(socket, Buffer.alloc(65_536))),
];

noNeighbourSuffers('19d', 'what listens in place of a broker', hosts, { DELIVERY_TIMEOUT: '5s' });
