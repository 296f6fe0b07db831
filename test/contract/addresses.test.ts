import type { LookupAddress } from 'node:dns';

import { expect } from 'chai';

import { AddressGuard, type AddressForbidden, type LookupAll } from '../../shared/addresses/address-guard.js';
import type { DestinationPolicy } from '../../shared/domain/addresses/destination-policy.js';
import { parseDestinationRule } from '../../shared/domain/addresses/destination-rule.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import { createHttpAdapter } from '../../workers/adapters/http/http-adapter.js';
import { FakeKafka } from '../support/fake-kafka.js';
import { silentAddress } from '../support/silent-address.js';
import { createTcpServer, sendTo, type TcpServer } from './http/sending.js';
import { adapterFor, attempt, Closing, kafka, send } from './kafka/sending.js';

const internal: DestinationPolicy = { level: 'internal', allow: [], deny: [] };
/** Loopback, which a test can listen on, stands for what a policy allows; 127.0.0.2 for what it forbids. */
const homeOnly: DestinationPolicy = { level: 'public', allow: rules('127.0.0.1'), deny: [] };
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

function rules(...texts: string[]): NonNullable<ReturnType<typeof parseDestinationRule>>[] {
  return texts.map((text) => parseDestinationRule(text) ?? expect.fail(text));
}

describe('the address policy at the doors of a worker', () => {
  const closing = new Closing();
  const forbidden: AddressForbidden[] = [];
  let lookups: string[] = [];
  let receiver: TcpServer;

  beforeEach(async () => {
    lookups = [];
    forbidden.length = 0;
    receiver = closing.add(await createTcpServer((_bytes, socket) => socket.write(ok)));
  });

  afterEach(() => closing.closeAll());

  /** @param answers of our own resolver, one after the other; the last one stays */
  function guard(policy: DestinationPolicy, ...answers: (readonly string[] | Error)[]): AddressGuard {
    const lookup: LookupAll = (hostname, options, callback) => {
      lookups.push(hostname);
      expect(options.all).to.equal(true);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) callback(answer, []);
      else callback(null, (answer ?? []).map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })));
    };
    return new AddressGuard({ policy, isOwnRedis: (address, port) => address === '127.0.0.1' && port === 6379, lookup, onForbidden: (error) => forbidden.push(error) });
  }

  interface Door {
    readonly name: string;
    /** Sends to a host, at the port of the receiver unless another is given. */
    readonly sendTo: (host: string, guard: AddressGuard, port?: number) => Promise<DeliveryResult>;
  }

  const doors: readonly Door[] = [
    {
      name: 'HTTP',
      sendTo: (host, of, port = receiver.port) => sendTo(closing.add(createHttpAdapter({ guard: of })), `http://${host.includes(':') ? `[${host}]` : host}:${port}/hook`),
    },
    {
      name: 'Kafka',
      sendTo: (host, of, port = receiver.port) => send(closing.add(adapterFor({ host: 'not-asked.test', port: 9 }, { guard: of, sendTimeoutMs: 2_000, connectTimeoutMs: 1_000 })), attempt('task'), kafka({ topic: 'orders', broker: { host, port } })),
    },
  ];

  for (const door of doors) {
    describe(door.name, () => {
      it('makes no connection to an address that is forbidden, in whatever notation', async () => {
        for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '::7f00:1', '169.254.169.254', '0.0.0.0']) {
          const result = await door.sendTo(host, guard(internal));
          expect(result.kind === 'failed' && result.code, host).to.equal('address_forbidden');
        }
        expect(receiver.connectionsMade).to.equal(0);
        expect(lookups).to.deep.equal([]);
      });

      it('makes no connection when one of the addresses of a name is forbidden', async () => {
        for (const answer of [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::ffff:7f00:1']]) {
          const result = await door.sendTo('hooks.test', guard(internal, answer));
          expect(result.kind === 'failed' && result.code, answer.join()).to.equal('address_forbidden');
        }
        expect(receiver.connectionsMade).to.equal(0);
      });

      it('tells a client neither the address nor the rule, and the operator both', async () => {
        const result = await door.sendTo('hooks.test', guard(internal, ['127.0.0.1']));
        expect(result.kind === 'failed' && result.detail).to.include(`the address policy of this deployment forbids hooks.test:${receiver.port}`).and.not.to.match(/127\.0|internal|DESTINATION/);
        expect(forbidden.map(({ reason }) => reason)).to.include('127.0.0.1 is a loopback address (DESTINATION_POLICY=internal)');
      });

      it('judges each look-up anew: a name that was good may mean another address a moment later', async () => {
        const changing = guard(homeOnly, ['127.0.0.1'], ['127.0.0.2']);
        const first = await door.sendTo('hooks.test', changing);
        expect(first.kind === 'delivered' || first.code !== 'address_forbidden').to.equal(true);
        expect(receiver.connectionsMade).to.be.at.least(1);
        const made = receiver.connectionsMade;
        const second = await door.sendTo('hooks.test', changing);
        expect(second.kind === 'failed' && second.code).to.equal('address_forbidden');
        expect(receiver.connectionsMade).to.equal(made);
      });

      it('connects to the address that was judged, and looks a name up once for a connection', async () => {
        await door.sendTo('hooks.test', guard(homeOnly, ['127.0.0.1'], ['127.0.0.2']));
        expect(lookups).to.deep.equal(['hooks.test']);
      });

      it('makes no connection by a name that cannot be looked up, even one that is allowed', async () => {
        const allowing: DestinationPolicy = { ...internal, allow: rules('localhost') };
        const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND localhost'), { code: 'ENOTFOUND' });
        for (const answer of [notFound, []]) {
          const result = await door.sendTo('localhost', guard(allowing, answer));
          expect(result.kind).to.equal('failed');
        }
        expect(receiver.connectionsMade).to.equal(0);
      });

      it('never connects to its own Redis, whatever is allowed', async () => {
        const result = await door.sendTo('cache.test', guard({ level: 'any', allow: rules('cache.test', '127.0.0.0/8'), deny: [] }, ['127.0.0.1']), 6379);
        expect(result.kind === 'failed' && result.code).to.equal('address_forbidden');
      });

      it('denies a name in whatever spelling', async () => {
        const denying: DestinationPolicy = { level: 'any', allow: [], deny: rules('hooks.test') };
        for (const host of ['hooks.test', 'HOOKS.test', ...(door.name === 'HTTP' ? ['hooks.test.'] : [])]) {
          const result = await door.sendTo(host, guard(denying, ['127.0.0.1']));
          expect(result.kind === 'failed' && result.code, host).to.equal('address_forbidden');
        }
        expect(receiver.connectionsMade).to.equal(0);
      });
    });
  }

  describe('a name with several addresses, some of which do not answer (L7)', () => {
    const any: DestinationPolicy = { level: 'any', allow: [], deny: [] };
    const refusing = Array.from({ length: 11 }, (_, nth) => `127.0.0.${nth + 20}`);

    /** The port of a broker that answers at 127.0.0.1, and what sends to it by a name. */
    async function broker(): Promise<{ readonly port: number; readonly sendBy: (of: AddressGuard) => Promise<DeliveryResult> }> {
      const { port } = closing.add(await FakeKafka.start({}));
      return { port, sendBy: (of) => send(closing.add(adapterFor({ host: 'not-asked.test', port: 9 }, { guard: of })), attempt('task'), kafka({ topic: 'orders', broker: { host: 'kafka.test', port } })) };
    }

    it('goes on with the next one when one swallows what it is sent, through both doors', async () => {
      const { port, sendBy } = await broker();
      for (const silentPort of [receiver.port, port]) closing.add(await silentAddress('127.0.0.9', silentPort));
      const byHttp = await sendTo(closing.add(createHttpAdapter({ guard: guard(any, ['127.0.0.9', '127.0.0.1']) })), `http://hooks.test:${receiver.port}/`);
      expect(byHttp.kind, JSON.stringify(byHttp)).to.equal('delivered');
      const byKafka = await sendBy(guard(any, ['127.0.0.9', '127.0.0.1']));
      expect(byKafka.kind, JSON.stringify(byKafka)).to.equal('delivered');
    });

    it('tries all of a name with twelve', async () => {
      const { sendBy } = await broker();
      expect((await sendTo(closing.add(createHttpAdapter({ guard: guard(any, [...refusing, '127.0.0.1']) })), `http://hooks.test:${receiver.port}/`)).kind).to.equal('delivered');
      expect((await sendBy(guard(any, [...refusing, '127.0.0.1']))).kind).to.equal('delivered');
    });

    it('counts the time of a resolver that takes too long, and connects to nothing afterwards', async () => {
      const late: LookupAll = (_hostname, _options, callback) => void setTimeout(() => { callback(null, [{ address: '127.0.0.1', family: 4 }]); }, 1_500);
      const slow = new AddressGuard({ policy: any, isOwnRedis: () => false, lookup: late });
      const startedAt = performance.now();
      const [byHttp, byKafka] = await Promise.all([
        sendTo(closing.add(createHttpAdapter({ guard: slow })), `http://hooks.test:${receiver.port}/`, { limitMs: 300 }),
        send(closing.add(adapterFor({ host: 'not-asked.test', port: 9 }, { guard: slow, sendTimeoutMs: 300 })), attempt('task'), kafka({ topic: 'orders', broker: { host: 'kafka.test', port: receiver.port } })),
      ]);
      expect(performance.now() - startedAt, 'ms').to.be.below(1_400);
      expect([byHttp.kind, byKafka.kind]).to.deep.equal(['failed', 'failed']);
      // The resolver answers behind this one.
      await new Promise<void>((resolve) => { late('behind.test', { all: true }, () => { resolve(); }); });
      expect(receiver.connectionsMade).to.equal(0);
    });
  });

  it('makes no connection to a forbidden broker that a cluster names', async () => {
    for (const host of ['127.0.0.2', '::ffff:127.0.0.2', '169.254.169.254']) {
      const other = { node: 2, host, port: receiver.port };
      const entrance = closing.add(await FakeKafka.start({ partitions: [{ id: 0, leader: 2 }], others: [other] }));
      const adapter = closing.add(adapterFor({ host: 'not-asked.test', port: 9 }, { guard: guard(homeOnly), sendTimeoutMs: 2_000, connectTimeoutMs: 1_000 }));
      const result = await send(adapter, attempt('task'), kafka({ topic: 'orders', broker: { host: '127.0.0.1', port: entrance.port } }));
      expect(result.kind === 'failed' && result.code, host).to.equal('address_forbidden');
    }
    expect(receiver.connectionsMade).to.equal(0);
  });

  it('lets the cluster of the operator be wherever it is', async () => {
    const broker = closing.add(await FakeKafka.start({}));
    const adapter = closing.add(adapterFor({ host: '127.0.0.1', port: broker.port }, { guard: guard(internal) }));
    expect((await send(adapter, attempt('task'), kafka({ topic: 'orders' }))).kind).to.equal('delivered');
  });
});
