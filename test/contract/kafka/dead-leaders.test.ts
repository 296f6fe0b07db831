import { expect } from 'chai';

import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryAdapter, DeliveryResult } from '../../../shared/domain/ports.js';
import type { KafkaDestination } from '../../../shared/domain/destinations/kafka.js';
import { eventually } from '../../support/eventually.js';
import { FakeKafka, frame, produceBody, targetOfProduceRequest, type FakePartition } from '../../support/fake-kafka.js';
import { freePort } from '../../../scripts/servers/free-port.mjs';
import { startRawHost } from '../../support/kafka-raw-host.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send, timed } from './sending.js';

const limits = { sendTimeoutMs: 700, connectTimeoutMs: 500 };
const host = '127.0.0.1';
/** Partition 0 is led by the broker that is well, partition 1 by the other one. Six of ten keys belong to partition 0. */
const partitions: readonly FakePartition[] = [{ id: 0 }, { id: 1, leader: 2 }];
const keys = Array.from({ length: 10 }, (_, nth) => `k${nth}`);

interface BadLeader {
  readonly how: string;
  readonly code: DeliveryErrorCode;
  /** It may have the message. */
  readonly mayHaveIt: boolean;
  /** @returns its port */
  readonly start: (closing: Closing) => Promise<number>;
}

const badLeaders: readonly BadLeader[] = [
  { how: 'nothing listens at its port', code: 'broker_unreachable', mayHaveIt: false, start: () => freePort() },
  { how: 'it takes the message and is silent', code: 'broker_timed_out', mayHaveIt: true, start: async (closing) => closing.add(await startRawHost()).port },
  { how: 'something else than Kafka listens there', code: 'broker_unreachable', mayHaveIt: true, start: async (closing) => closing.add(await startRawHost('HTTP/1.1 400 Bad Request\r\n\r\n')).port },
  { how: 'it closes each connection', code: 'broker_unreachable', mayHaveIt: true, start: async (closing) => closing.add(await FakeKafka.start({ reply: ({ socket }) => { socket.end(); return 'silence'; } })).port },
  {
    how: 'it acknowledges what was not sent',
    code: 'broker_unreachable',
    mayHaveIt: true,
    start: async (closing) => closing.add(await FakeKafka.start({
      reply: ({ api, body, correlationId }) => (api === 'produce' ? frame(correlationId, produceBody({ ...targetOfProduceRequest(body), partition: 7 })) : undefined),
    })).port,
  },
];

describe('kafka adapter: a broker that fails, while others of its cluster are well', function () {
  this.timeout(20_000);
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  async function start(port: number): Promise<{ broker: FakeKafka; adapter: DeliveryAdapter<KafkaDestination> }> {
    const broker = closing.add(await FakeKafka.start({ partitions, others: [{ node: 2, host, port }] }));
    return { broker, adapter: closing.add(adapterFor(broker, limits)) };
  }

  const sendKeys = (adapter: DeliveryAdapter<KafkaDestination>): Promise<DeliveryResult[]> =>
    Promise.all(keys.map((key) => send(adapter, attempt(key), kafka({ topic: 't', key }))));

  /** Four of the ten keys belong to the leader that is not well. Nothing is said against the cluster. */
  function failuresOf(results: readonly DeliveryResult[], code: DeliveryErrorCode): Extract<DeliveryResult, { kind: 'failed' }>[] {
    const failed = results.filter((result) => result.kind === 'failed');
    expect(failed).to.have.lengthOf(4);
    for (const result of failed) {
      expectFailed(result, code);
      expect(result).to.include({ isHostWell: true });
    }
    return failed;
  }

  for (const { how, code, mayHaveIt, start: startLeader } of badLeaders) {
    it(`stops the keys that it leads alone, and nothing is said against the cluster: ${how}`, async () => {
      const { adapter } = await start(await startLeader(closing));
      const results = await sendKeys(adapter);
      for (const { detail } of failuresOf(results, code)) expect(detail.includes('not sent'), detail).to.equal(!mayHaveIt);
      for (const result of results.filter(({ kind }) => kind === 'delivered')) expect(expectDelivered(result).partition).to.equal(0);
    });

    it(`does not hold up the keys of other leaders: ${how}`, async () => {
      const { adapter } = await start(await startLeader(closing));
      const [led = '', stopped = ''] = await keysByPartition(adapter);
      const stoppedOnes = Array.from({ length: 30 }, (_, nth) => send(adapter, attempt(`s-${nth}`), kafka({ topic: 't', key: stopped })));
      const took: number[] = [];
      for (let nth = 0; nth < 30; nth += 1) {
        const { value, tookMs } = await timed(send(adapter, attempt(`w-${nth}`), kafka({ topic: 't', key: led })));
        expectDelivered(value);
        took.push(tookMs);
      }
      // A busy machine makes a few of them late.
      expect(took.sort((a, b) => a - b)[20], 'ms, two thirds of the sends').to.be.below(limits.connectTimeoutMs);
      for (const result of await Promise.all(stoppedOnes)) expect(result).to.include({ kind: 'failed', code, isHostWell: true });
    });
  }

  /** @returns a key of partition 0, and one of partition 1 */
  async function keysByPartition(adapter: DeliveryAdapter<KafkaDestination>): Promise<[string | undefined, string | undefined]> {
    const results = await sendKeys(adapter);
    return [keys[results.findIndex(({ kind }) => kind === 'delivered')], keys[results.findIndex(({ kind }) => kind === 'failed')]];
  }

  it('sends messages whose client chose no key to another partition, in the same attempt, when they have not left', async () => {
    const { adapter } = await start(await freePort());
    const results = await Promise.all(Array.from({ length: 40 }, (_, nth) => send(adapter, attempt(`task-${nth}`), kafka({ topic: 't' }))));
    for (const result of results) expect(expectDelivered(result).partition).to.equal(0);
  });

  it('keeps the connection: sends to other leaders do not wait for a new one, and the bad leader is asked at most once a second', async () => {
    const { broker, adapter } = await start(await freePort());
    const [, stopped = ''] = await keysByPartition(adapter);
    const before = broker.connectionsTaken;
    const startedAt = performance.now();
    for (let nth = 0; nth < 100; nth += 1) expectFailed(await send(adapter, attempt(`s-${nth}`), kafka({ topic: 't', key: stopped })), 'broker_unreachable');
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(broker.connectionsTaken - before).to.be.at.most(2 * (1 + Math.ceil(seconds)));
  });

  it('sends to the partition again soon after its leader is back', async () => {
    const port = await freePort();
    const { adapter } = await start(port);
    const [, stopped = ''] = await keysByPartition(adapter);
    const back = closing.add(await FakeKafka.start({}, port));
    const receipt = await eventually(async () => expectDelivered(await send(adapter, attempt('after'), kafka({ topic: 't', key: stopped }))), { withinMs: 3_000, everyMs: 50 });
    expect(receipt.partition).to.equal(1);
    expect(back.produced).to.have.lengthOf(1);
  });

  it('goes on when the broker that the destination names is the one that is down, and blames the cluster when all are', async () => {
    const ports = [await freePort(), await freePort()];
    const [first, second] = await Promise.all(ports.map((port, index) => FakeKafka.start({
      node: index + 1,
      partitions: [{ id: 0, leader: 2 }, { id: 1, leader: 1 }],
      others: [{ node: 2 - index, host, port: ports[1 - index] ?? 0 }],
    }, port)));
    if (first === undefined || second === undefined) throw new Error('two were started');
    closing.add(second);
    const adapter = closing.add(adapterFor(first, limits));
    (await sendKeys(adapter)).forEach(expectDelivered);
    await first.stop();
    // Longer than leaders are taken for known, so that the metadata is asked for again over a new connection.
    for (const startedAt = performance.now(); performance.now() - startedAt < 2_500;) {
      const results = await sendKeys(adapter);
      const delivered = results.filter(({ kind }) => kind === 'delivered');
      expect(delivered).to.have.lengthOf(6);
      for (const result of results.filter(({ kind }) => kind === 'failed')) {
        expectFailed(result, 'broker_unreachable');
        expect(result).to.include({ isHostWell: true });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await second.stop();
    await eventually(async () => {
      for (const result of await sendKeys(adapter)) {
        expectFailed(result, 'broker_unreachable');
        expect(result).to.not.have.property('isHostWell');
      }
    }, { withinMs: 3_000, everyMs: 50 });
  });

  it('blames the cluster when none of the brokers that it names can be reached', async () => {
    const others = [{ node: 2, host, port: await freePort() }, { node: 3, host, port: await freePort() }];
    const entrance = closing.add(await FakeKafka.start({ partitions: [{ id: 0, leader: 2 }, { id: 1, leader: 3 }], others, isNamed: false }));
    const adapter = closing.add(adapterFor(entrance, limits));
    for (const result of await sendKeys(adapter)) {
      expectFailed(result, 'broker_unreachable');
      expect(result).to.not.have.property('isHostWell');
    }
  });

  it('asks the others itself when one is silent, and blames the cluster when they are silent, too', async () => {
    const silent = async () => closing.add(await startRawHost()).port;
    const others = [{ node: 2, host, port: await silent() }, { node: 3, host, port: await silent() }];
    const entrance = closing.add(await FakeKafka.start({ partitions: [{ id: 0, leader: 2 }, { id: 1, leader: 3 }], others, isNamed: false }));
    const adapter = closing.add(adapterFor(entrance, limits));
    for (const result of await sendKeys(adapter)) {
      expectFailed(result, 'broker_timed_out');
      expect(result).to.not.have.property('isHostWell');
    }
  });

  for (const [error, code] of [[7, 'broker_timed_out'], [8, 'broker_unavailable'], [13, 'broker_unavailable'], [19, 'broker_unavailable'], [20, 'broker_unavailable'], [6, 'broker_unavailable'], [5, 'broker_unavailable'], [56, 'broker_unavailable']] as const) {
    it(`stops the keys of one partition alone, for which the broker answers with error ${error}`, async () => {
      const broker = closing.add(await FakeKafka.start({
        partitions: [{ id: 0 }, { id: 1 }],
        reply: ({ api, body, correlationId }) => {
          if (api !== 'produce') return undefined;
          const target = targetOfProduceRequest(body);
          return target.partition === 0 ? undefined : frame(correlationId, produceBody({ ...target, error }));
        },
      }));
      const adapter = closing.add(adapterFor(broker, limits));
      const results = await sendKeys(adapter);
      failuresOf(results, code);
    });
  }

  it('asks no silent broker about the topic: messages of the others do not wait for it', async () => {
    const silent = closing.add(await startRawHost());
    let refusesNext = false;
    let isKnown = false;
    const broker = closing.add(await FakeKafka.start({
      partitions,
      others: [{ node: 2, host, port: silent.port }],
      // Each second batch is refused, so that kafkajs asks any broker that it is connected to for the leaders.
      reply: ({ api, body, correlationId }) => {
        if (api !== 'produce' || !isKnown) return undefined;
        refusesNext = !refusesNext;
        return refusesNext ? frame(correlationId, produceBody({ ...targetOfProduceRequest(body), error: 6 })) : undefined;
      },
    }));
    const adapter = closing.add(adapterFor(broker, limits));
    const [led = ''] = await keysByPartition(adapter);
    await eventually(() => { expect(silent.connectionsOpen).to.equal(0); });
    isKnown = true;
    for (let nth = 0; nth < 8; nth += 1) expectDelivered(await send(adapter, attempt(`w-${nth}`), kafka({ topic: 't', key: led })));
  });

  it('does not make a new connection for each message of a partition that has moved, and moves for ever', async () => {
    const broker = closing.add(await FakeKafka.start({
      partitions: [{ id: 0 }, { id: 1 }],
      reply: ({ api, body, correlationId }) => {
        if (api !== 'produce') return undefined;
        const target = targetOfProduceRequest(body);
        return target.partition === 0 ? undefined : frame(correlationId, produceBody({ ...target, error: 6 }));
      },
    }));
    const adapter = closing.add(adapterFor(broker, limits));
    const [, stopped = ''] = await keysByPartition(adapter);
    const before = broker.connectionsTaken;
    const startedAt = performance.now();
    for (let nth = 0; nth < 12; nth += 1) expectFailed(await send(adapter, attempt(`s-${nth}`), kafka({ topic: 't', key: stopped })), 'broker_unavailable');
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(broker.connectionsTaken - before).to.be.at.most(1 + Math.ceil(seconds));
  });
});
