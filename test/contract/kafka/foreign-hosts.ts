import { expect } from 'chai';

import { KafkaProbe, kafkaTestBroker } from '../../support/kafka.js';
import { startRawHost } from '../../support/kafka-raw-host.js';
import { users } from '../../support/secure-kafka.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send, type Broker } from './sending.js';

const login = { username: 'writer', password: users.writer } as const;
const saslHandshakeApiKey = 17;
const saslAuthenticateApiKey = 36;
const tlsHandshakeByte = 0x16;

/**
 * The KAFKA_* credentials and TLS are for the default cluster alone.
 * @param facts of a broker that takes logins, and a topic that the user `writer` may write to
 */
export function describeForeignHosts(facts: () => { readonly broker: Broker; readonly topic: string }): void {
  const closing = new Closing();
  let broker: Broker;
  let topic: string;

  before(() => ({ broker, topic } = facts()));
  afterEach(() => closing.closeAll());

  it('takes a destination that names a broker of KAFKA_BROKERS, in any case of letters, for the default cluster', async () => {
    const defaultBrokers = [`LocalHost:${broker.port}`];
    const adapter = closing.add(adapterFor(broker, { defaultBrokers, credentials: { mechanism: 'plain', ...login } }));
    const destination = kafka({ topic, broker: { host: 'localhost', port: broker.port } });
    expectDelivered(await send(adapter, attempt('t'), destination));
  });

  it('does not log in to the same broker under a name that is not in KAFKA_BROKERS', async () => {
    const credentials = { mechanism: 'plain', ...login } as const;
    const adapter = closing.add(adapterFor(kafkaTestBroker(), { credentials }));
    expectFailed(await send(adapter, attempt('t'), kafka({ topic, broker })), 'broker_unreachable');
  });

  for (const tls of [false, true]) {
    it(`never sends them to another host${tls ? ', nor speaks TLS to it' : ''}`, async () => {
      const foreign = closing.add(await startRawHost());
      const limits = { sendTimeoutMs: 500, connectTimeoutMs: 500 };
      const credentials = { mechanism: 'plain', ...login } as const;
      const adapter = closing.add(adapterFor(broker, { credentials, tls: tls && {}, ...limits }));
      for (let i = 0; i < 3; i += 1) {
        expectFailed(await send(adapter, attempt(`t-${i}`), kafka({ topic, broker: foreign })), 'broker_timed_out');
      }
      expect(foreign.connectionsTaken).to.be.at.least(1);
      const received = foreign.received();
      expect(received.length, 'bytes received').to.be.above(0);
      expect(received[0]).to.not.equal(tlsHandshakeByte);
      expect(apiKeysIn(received)).to.not.include.members([saslHandshakeApiKey]);
      expect(apiKeysIn(received)).to.not.include.members([saslAuthenticateApiKey]);
      expect(received.includes(login.username), 'the user name').to.equal(false);
      expect(received.includes(login.password), 'the password').to.equal(false);
    });
  }

  it('does send them to a default cluster that looks the same (so the test above can see them)', async () => {
    const recorded = closing.add(await startRawHost(apiVersionsAnswer()));
    const limits = { sendTimeoutMs: 500, connectTimeoutMs: 500 };
    const adapter = closing.add(adapterFor(recorded, { credentials: { mechanism: 'plain', ...login }, ...limits }));
    await send(adapter, attempt('t'), kafka({ topic }));
    expect(apiKeysIn(recorded.received())).to.include(saslHandshakeApiKey);
  });

  it('never sends them to another host that answers like a broker, either', async () => {
    const foreign = closing.add(await startRawHost(apiVersionsAnswer()));
    const limits = { sendTimeoutMs: 500, connectTimeoutMs: 500 };
    const adapter = closing.add(adapterFor(broker, { credentials: { mechanism: 'plain', ...login }, ...limits }));
    // It answers the second request by the answer to the first.
    expectFailed(await send(adapter, attempt('t'), kafka({ topic, broker: foreign })), 'broker_unreachable');
    const keys = apiKeysIn(foreign.received());
    expect(keys, 'it got past the version exchange').to.include(metadataApiKey);
    expect(keys).to.not.include(saslHandshakeApiKey);
  });

  it('delivers to a second cluster without credentials while the first is logged in to', async () => {
    const probe = closing.add(new KafkaProbe(kafkaTestBroker()));
    const elsewhere = await probe.createTopic();
    const adapter = closing.add(adapterFor(broker, { credentials: { mechanism: 'scram-sha-256', ...login } }));
    const [first, second] = await Promise.all([
      send(adapter, attempt('t1'), kafka({ topic })),
      send(adapter, attempt('t2'), kafka({ topic: elsewhere, broker: kafkaTestBroker() })),
    ]);
    expectDelivered(first);
    expectDelivered(second);
    expect(await probe.readAll(elsewhere)).to.have.lengthOf(1);
  });
}

const metadataApiKey = 3;

/** The API key of every request in a stream of them: length, then key, both big-endian. */
function apiKeysIn(requests: Buffer): number[] {
  const keys: number[] = [];
  for (let at = 0; at + 6 <= requests.length; at += 4 + requests.readInt32BE(at)) keys.push(requests.readInt16BE(at + 4));
  return keys;
}

/** The answer of a broker to ApiVersions: correlation 0, no error, and every API a producer needs. */
function apiVersionsAnswer(): Buffer {
  const apis: readonly (readonly [key: number, maxVersion: number])[] = [[0, 7], [3, 6], [17, 1], [18, 2], [36, 1]];
  const body = Buffer.alloc(4 + 2 + 4 + apis.length * 6 + 4);
  let at = body.writeInt32BE(0, 0);
  at = body.writeInt16BE(0, at);
  at = body.writeInt32BE(apis.length, at);
  for (const [key, maxVersion] of apis) {
    at = body.writeInt16BE(key, at);
    at = body.writeInt16BE(0, at);
    at = body.writeInt16BE(maxVersion, at);
  }
  body.writeInt32BE(0, at);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}
