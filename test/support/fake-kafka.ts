import net from 'node:net';

import { FakeScram, type FakeScramOptions } from './fake-scram.js';

/** One request as it came in. */
export interface FakeRequest {
  readonly api: 'produce' | 'metadata' | 'saslHandshake' | 'apiVersions' | 'saslAuthenticate' | 'other';
  readonly version: number;
  readonly correlationId: number;
  /** What follows the header. */
  readonly body: Buffer;
  readonly socket: net.Socket;
  /** Its number among those of its kind, from 0. */
  readonly nth: number;
}

/** Bytes to send in place of a good answer; undefined: the good answer; 'silence': none. */
export type FakeReply = Buffer | 'silence' | undefined;

export interface FakeKafkaOptions {
  readonly reply?: (request: FakeRequest, broker: FakeKafka) => FakeReply;
  /** Called with each new connection, before it has sent anything. */
  readonly greet?: (socket: net.Socket) => void;
  readonly partitions?: readonly FakePartition[];
  /** Its own number in its cluster. Default 1. */
  readonly node?: number;
  /** Other brokers of its cluster, which its metadata names. */
  readonly others?: readonly FakeNode[];
  /** It lets in who logs in by SCRAM, and every one who does not try. */
  readonly scram?: FakeScramOptions;
  /** After this its logins are over, ms: a connection that is used later ends, as that of a real broker (connections.max.reauth.ms). Default: never. */
  readonly loginForMs?: number;
  /** false: its metadata leaves itself out, as that of an entrance that is no broker. Default true. */
  readonly isNamed?: boolean;
  /** What each produce answer asks for (KIP-219), in whole milliseconds. */
  readonly throttleMs?: (nthProduce: number) => number;
}

export interface FakeNode {
  readonly node: number;
  readonly host: string;
  readonly port: number;
}

export interface FakePartition {
  readonly id: number;
  /** Error of the protocol, default none. */
  readonly error?: number;
  /** Node 1 is the fake broker, -1 none, others stand in `others`. Default 1. */
  readonly leader?: number;
}

const apis = { 0: 'produce', 3: 'metadata', 17: 'saslHandshake', 18: 'apiVersions', 36: 'saslAuthenticate' } as const;

/** A broker of one node that keeps nothing, and that can be told to answer whatever a test wants. Not a mock: it speaks over sockets. */
export class FakeKafka {
  readonly host = '127.0.0.1';
  /** Partition and arrival (monotonic ms) of each Produce request. */
  readonly produced: { readonly partition: number; readonly at: number }[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #counts = { produce: 0, metadata: 0, saslHandshake: 0, apiVersions: 0, saslAuthenticate: 0, other: 0 };
  readonly #logins = new WeakMap<net.Socket, FakeScram>();
  readonly #loggedInAt = new WeakMap<net.Socket, number>();
  /** Connections that were used behind the end of their login. */
  lateConnections = 0;
  connectionsTaken = 0;

  private constructor(readonly options: FakeKafkaOptions) {
    this.#server = net.createServer((socket) => { this.#serve(socket); });
  }

  /** @param port 0: any that is free */
  static async start(options: FakeKafkaOptions = {}, port = 0): Promise<FakeKafka> {
    const broker = new FakeKafka(options);
    await new Promise<void>((resolve) => { broker.#server.listen(port, broker.host, resolve); });
    return broker;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
    return address.port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  /** What a sound broker would send, length included. */
  good({ api, correlationId, body, nth, socket }: FakeRequest): Buffer {
    switch (api) {
      case 'apiVersions':
        return frame(correlationId, apiVersionsBody());
      case 'metadata':
        return frame(correlationId, metadataBody({ port: this.port, topic: topicOfMetadataRequest(body), partitions: this.options.partitions, brokers: this.#cluster() }));
      case 'produce': {
        const { topic, partition } = targetOfProduceRequest(body);
        return frame(correlationId, produceBody({ topic, partition, throttleMs: this.options.throttleMs?.(nth) ?? 0 }));
      }
      case 'saslHandshake':
        return frame(correlationId, Buffer.concat([i16(0), list(['SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'].map(text))]));
      case 'saslAuthenticate': {
        const login = this.#logins.get(socket) ?? new FakeScram(this.options.scram);
        this.#logins.set(socket, login);
        this.#loggedInAt.set(socket, performance.now());
        return frame(correlationId, saslTokenBody(login.answer(body.subarray(4).toString()), this.options.loginForMs));
      }
      case 'other':
        return Buffer.alloc(0);
    }
  }

  #cluster(): Buffer[] {
    const itself = this.options.isNamed === false ? [] : [brokerEntry(this.host, this.port, this.options.node)];
    return [...itself, ...(this.options.others ?? []).map(({ node, host, port }) => brokerEntry(host, port, node))];
  }

  #serve(socket: net.Socket): void {
    this.connectionsTaken += 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    this.options.greet?.(socket);
    let waiting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 4 && waiting.length >= 4 + waiting.readInt32BE(0)) {
        const end = 4 + waiting.readInt32BE(0);
        this.#answer(waiting.subarray(4, end), socket);
        waiting = waiting.subarray(end);
      }
    });
  }

  #answer(bytes: Buffer, socket: net.Socket): void {
    const number = bytes.readInt16BE(0);
    const api = number in apis ? apis[number as keyof typeof apis] : 'other';
    const clientIdBytes = bytes.readInt16BE(8);
    const request: FakeRequest = {
      api,
      version: bytes.readInt16BE(2),
      correlationId: bytes.readInt32BE(4),
      body: bytes.subarray(10 + Math.max(clientIdBytes, 0)),
      socket,
      nth: this.#counts[api],
    };
    this.#counts[api] += 1;
    const { loginForMs = Infinity } = this.options;
    if (api !== 'saslAuthenticate' && performance.now() - (this.#loggedInAt.get(socket) ?? Infinity) > loginForMs) {
      this.lateConnections += 1;
      socket.destroy();
      return;
    }
    if (api === 'produce') this.produced.push({ partition: targetOfProduceRequest(request.body).partition, at: performance.now() });
    const reply = this.options.reply === undefined ? undefined : this.options.reply(request, this);
    if (reply !== 'silence' && !socket.destroyed) socket.write(reply ?? this.good(request));
  }
}

export const i16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
export const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
export const text = (value: string): Buffer => Buffer.concat([i16(Buffer.byteLength(value)), Buffer.from(value)]);
export const list = (items: readonly Buffer[]): Buffer => Buffer.concat([i32(items.length), ...items]);
/** Length, correlation id, body. */
export const frame = (correlationId: number, body: Buffer): Buffer => Buffer.concat([i32(4 + body.length), i32(correlationId), body]);

/** Produce 0..7, Metadata 0..6, SaslHandshake 0..1, ApiVersions 0..2, SaslAuthenticate 0..1. */
export function apiVersionsBody(offers: readonly (readonly [api: number, oldest: number, newest: number])[] = [[0, 0, 7], [3, 0, 6], [17, 0, 1], [18, 0, 2], [36, 0, 1]], throttleMs = 0): Buffer {
  return Buffer.concat([i16(0), list(offers.map((offer) => Buffer.concat(offer.map(i16)))), i32(throttleMs)]);
}

/** SaslAuthenticate, version 1: no error. @param forMs 0: the login lasts for ever */
function saslTokenBody(token: string, forMs = 0): Buffer {
  const bytes = Buffer.from(token);
  return Buffer.concat([i16(0), i16(-1), i32(bytes.length), bytes, i32(0), i32(forMs)]);
}

export const brokerEntry = (host: string, port: number, node = 1): Buffer => Buffer.concat([i32(node), text(host), i32(port), i16(-1)]);

export function partitionEntry({ id, error = 0, leader = 1 }: FakePartition): Buffer {
  const replicas = list([i32(1)]);
  return Buffer.concat([i16(error), i32(id), i32(leader), replicas, replicas, list([])]);
}

export interface FakeMetadata {
  readonly port: number;
  readonly topic: string;
  readonly partitions?: readonly FakePartition[] | undefined;
  readonly brokers?: readonly Buffer[];
  readonly topics?: Buffer;
  readonly topicError?: number;
  readonly throttleMs?: number;
}

/** Metadata, version 6. */
export function metadataBody({ port, topic, partitions = [{ id: 0 }], brokers = [brokerEntry('127.0.0.1', port)], topicError = 0, throttleMs = 0, topics }: FakeMetadata): Buffer {
  const described = topics ?? list([Buffer.concat([i16(topicError), text(topic), Buffer.from([0]), list(partitions.map(partitionEntry))])]);
  return Buffer.concat([i32(throttleMs), list(brokers), text('fake'), i32(1), described]);
}

export interface FakeProduced {
  readonly topic: string;
  readonly partition: number;
  readonly error?: number;
  readonly throttleMs?: number;
}

/** Produce, versions 5 to 7. */
export function produceBody({ topic, partition, error = 0, throttleMs = 0 }: FakeProduced): Buffer {
  const entry = Buffer.concat([i32(partition), i16(error), Buffer.alloc(8), Buffer.alloc(8, 0xff), Buffer.alloc(8)]);
  return Buffer.concat([list([Buffer.concat([text(topic), list([entry])])]), i32(throttleMs)]);
}

/** A request for the metadata of one topic, version 1 or later. */
export function topicOfMetadataRequest(body: Buffer): string {
  return readText(body, 4);
}

/** A Produce request for one partition, version 3 or later. */
export function targetOfProduceRequest(body: Buffer): { topic: string; partition: number } {
  // Transactional id (null), acks, timeout, number of topics.
  const at = 2 + 2 + 4 + 4;
  const topic = readText(body, at);
  return { topic, partition: body.readInt32BE(at + 2 + Buffer.byteLength(topic) + 4) };
}

function readText(bytes: Buffer, at: number): string {
  return bytes.subarray(at + 2, at + 2 + bytes.readInt16BE(at)).toString();
}
