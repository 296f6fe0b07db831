import { readFile } from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';

import { expect } from 'chai';

import { AddressGuard } from '../../../shared/addresses/address-guard.js';
import { everyAddress } from '../../../shared/domain/addresses/destination-policy.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { TestAuthority } from '../../support/certificates.js';
import { eventually } from '../../support/eventually.js';
import { FakeKafka, type FakeNode } from '../../support/fake-kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const partitions = [{ id: 0, leader: 1 }, { id: 1, leader: 2 }];

describe('kafka adapter: a cluster of two brokers', function () {
  this.timeout(30_000);
  const closing = new Closing();
  let authority: TestAuthority;

  before(async () => { authority = await TestAuthority.create(); });
  afterEach(() => closing.closeAll());
  after(() => authority.close());

  /** All names mean this machine. */
  const guard = new AddressGuard({ policy: everyAddress, isOwnRedis: () => false, lookup: (_hostname, _options, callback) => { callback(null, [{ address: '127.0.0.1', family: 4 }]); } });

  /** Speaks TLS for a broker, with a certificate for these names, and writes down which name it was asked for. */
  async function front(names: readonly string[], of: FakeKafka, asked: string[] = []): Promise<number> {
    const { cert, key } = await authority.issue({ names });
    const server = tls.createServer({ cert: await readFile(cert), key: await readFile(key) }, (socket) => {
      asked.push(String(socket.servername));
      const inner = net.connect(of.port, of.host);
      for (const [from, to] of [[socket, inner], [inner, socket]] as const) {
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    closing.add({ close: () => server.close() });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : expect.fail('no port');
  }

  /** Each with a key of its own, so that none may go to another partition when a broker fails. */
  const sendMany = (adapter: ReturnType<typeof adapterFor>, ids: readonly string[]): Promise<DeliveryResult[]> => Promise.all(ids.map((id) => send(adapter, attempt(id), kafka({ topic: 'orders', key: id }))));
  const ids = (count: number): string[] => Array.from({ length: count }, () => `t-${Math.random()}`);

  /** @param second how the second broker is named in the metadata, and what its certificate is for */
  async function secureCluster(second: { readonly host: string; readonly names: readonly string[] }) {
    const nodes: FakeNode[] = [];
    const asked: { readonly [broker: string]: string[] } = { bootstrap: [], first: [], second: [] };
    const one = closing.add(await FakeKafka.start({ partitions, others: nodes, isNamed: false }));
    let askedOfSecond = 0;
    const two = closing.add(await FakeKafka.start({ node: 2, partitions, others: nodes, isNamed: false, reply: () => void (askedOfSecond += 1) }));
    const entrance = { host: 'bootstrap.test', port: await front(['DNS:bootstrap.test'], one, asked['bootstrap']) };
    nodes.push({ node: 1, host: 'broker-1.test', port: await front(['DNS:broker-1.test'], one, asked['first']) });
    nodes.push({ node: 2, host: second.host, port: await front(second.names, two, asked['second']) });
    return { asked, two, requestsOfSecond: () => askedOfSecond, adapter: closing.add(adapterFor(entrance, { tls: { ca: authority.ca }, guard, connectTimeoutMs: 2_000, sendTimeoutMs: 3_000 })) };
  }

  it('asks each broker for the name that leads to it, and checks its certificate against that name (L29)', async () => {
    const { asked, two, adapter } = await secureCluster({ host: 'broker-2.test', names: ['DNS:broker-2.test'] });
    (await sendMany(adapter, ids(20))).forEach(expectDelivered);
    expect(two.produced.length).to.be.above(0);
    for (const [broker, name] of [['bootstrap', 'bootstrap.test'], ['first', 'broker-1.test'], ['second', 'broker-2.test']] as const) expect(new Set(asked[broker]), broker).to.deep.equal(new Set([name]));
  });

  it('asks a broker that is named by its address for none, and finds the address in its certificate (L29)', async () => {
    const { asked, two, adapter } = await secureCluster({ host: '127.0.0.1', names: ['IP:127.0.0.1'] });
    (await sendMany(adapter, ids(20))).forEach(expectDelivered);
    expect(two.produced.length).to.be.above(0);
    expect(new Set(asked['second'])).to.deep.equal(new Set(['false']));
  });

  const wrong: readonly (readonly [what: string, second: { readonly host: string; readonly names: readonly string[] }])[] = [
    ['the name of the entrance', { host: 'broker-2.test', names: ['DNS:bootstrap.test'] }],
    ['the name of the other broker', { host: 'broker-2.test', names: ['DNS:broker-1.test'] }],
    ['its name, where it is named by its address', { host: '127.0.0.1', names: ['DNS:broker-2.test'] }],
  ];
  for (const [what, second] of wrong) {
    it(`says tls_wrong_name for a broker behind the entrance whose certificate is for ${what}, and sends it nothing (L29)`, async () => {
      const { requestsOfSecond, adapter } = await secureCluster(second);
      const results = await sendMany(adapter, ids(20));
      const failed = results.filter(({ kind }) => kind === 'failed');
      expect(failed.length).to.be.within(1, 19);
      for (const result of failed) expectFailed(result, 'tls_wrong_name');
      expect(requestsOfSecond()).to.equal(0);
    });
  }

  it('renews the login at each of them before it ends, under load: nothing fails, and nothing is sent twice (L31)', async () => {
    const nodes: FakeNode[] = [];
    const options = { partitions, loginForMs: 2_000, scram: {} };
    const one = closing.add(await FakeKafka.start({ ...options, others: nodes, isNamed: false }));
    const two = closing.add(await FakeKafka.start({ ...options, node: 2, others: nodes, isNamed: false }));
    nodes.push({ node: 1, host: one.host, port: one.port }, { node: 2, host: two.host, port: two.port });
    const adapter = closing.add(adapterFor(one, { credentials: { mechanism: 'scram-sha-256', username: 'someone', password: 'secret' } }));
    const results: DeliveryResult[] = [];
    // A cold adapter, and 200 at once: each connection has one handshake, whatever waits for it.
    (await sendMany(adapter, ids(200))).forEach(expectDelivered);
    await eventually(async () => {
      results.push(...await sendMany(adapter, ids(10)));
      for (const broker of [one, two]) expect(broker.connectionsTaken, 'logins').to.be.at.least(3);
    }, { withinMs: 25_000, everyMs: 20 });
    results.forEach(expectDelivered);
    for (const broker of [one, two]) {
      expect(broker.produced.length).to.be.above(10);
      expect(broker.lateConnections, 'used behind the end of the login').to.equal(0);
      expect(broker.connectionsTaken, 'logins').to.be.at.most(20);
    }
  });
});
