import { copyFile, readFile, writeFile } from 'node:fs/promises';

import { expect } from 'chai';

import { CredentialIndex } from '../../../shared/domain/credentials/credential-index.js';
import type { Credentials } from '../../../shared/domain/credentials/credential-values.js';
import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import { hostOfName } from '../../../shared/domain/flow/flow-key.js';
import type { TlsFiles } from '../../../shared/tls/tls-files.js';
import type { KafkaAdapterOptions } from '../../../workers/adapters/kafka/adapter.js';
import type { CredentialsInUse } from '../../../workers/credentials/credential-watch.js';
import { TestAuthority, type IssuedCertificate } from '../../support/certificates.js';
import { eventually } from '../../support/eventually.js';
import { printAddress, testRedisAddress } from '../../support/redis.js';
import { SecureKafka, users, type Listener } from '../../support/secure-kafka.js';
import { ServiceProcess } from '../../support/service.js';
import { describeForeignHosts } from './foreign-hosts.js';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const loginBy = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', username: keyof typeof users = 'writer', password: string = users[username]) =>
  ({ credentials: { mechanism, username, password } }) as const;

describe('kafka adapter: TLS, logins and rights', function () {
  this.timeout(120_000);
  const closing = new Closing();
  const stopping = new Closing();
  let broker: SecureKafka;
  let stranger: TestAuthority;
  /** `writer` may write to it; nobody else may. */
  let topic: string;
  let tls: TlsFiles;
  let ofWriter: IssuedCertificate;
  let ofStranger: IssuedCertificate;
  let expired: IssuedCertificate;

  before(async () => {
    [broker, stranger] = await Promise.all([SecureKafka.start(), TestAuthority.create()]);
    stopping.add(broker);
    stopping.add(stranger);
    stopping.add(broker.probe);
    topic = await broker.probe.createTopic();
    await broker.allowWrite('writer', topic);
    tls = { ca: broker.authority.ca };
    [ofWriter, ofStranger, expired] = await Promise.all([
      broker.authority.issue({ commonName: 'writer', names: [] }),
      stranger.issue({ commonName: 'writer', names: [] }),
      broker.authority.issue({ commonName: 'writer', names: [], hasExpired: true }),
    ]);
  });
  after(() => stopping.closeAll());
  afterEach(() => closing.closeAll());

  const sendTo = (listener: Listener, options: Partial<KafkaAdapterOptions>, where = topic) =>
    send(closing.add(adapterFor(broker.at(listener), options)), attempt('t'), kafka({ topic: where }));
  const certificate = ({ cert, key }: IssuedCertificate): TlsFiles => ({ ...tls, cert, key });

  const ways: readonly (readonly [how: string, listener: Listener, options: () => Partial<KafkaAdapterOptions>])[] = [
    ['PLAIN over TLS', 'LOGIN', () => ({ ...loginBy('plain'), tls })],
    ['SCRAM-SHA-256 over TLS', 'LOGIN', () => ({ ...loginBy('scram-sha-256'), tls })],
    ['SCRAM-SHA-512 over TLS', 'SHORT_LOGIN', () => ({ ...loginBy('scram-sha-512'), tls })],
    ['PLAIN in clear', 'PLAIN_LOGIN', () => loginBy('plain')],
    ['SCRAM-SHA-256 in clear', 'PLAIN_LOGIN', () => loginBy('scram-sha-256')],
    ['a certificate of ours', 'MUTUAL', () => ({ tls: certificate(ofWriter) })],
  ];
  for (const [how, listener, options] of ways) {
    it(`delivers with ${how}, and needs no other right than to write to the topic`, async () => {
      expectDelivered(await sendTo(listener, options()));
    });
  }

  it('checks the certificate against the name that is connected to', async () => {
    const { port } = broker.at('LOGIN');
    const adapter = closing.add(adapterFor({ host: 'localhost', port }, { ...loginBy('plain'), tls }));
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
  });

  const refusals: readonly (readonly [what: string, code: DeliveryErrorCode, listener: Listener, options: () => Partial<KafkaAdapterOptions>, words: string])[] = [
    ['a wrong password of PLAIN', 'broker_authentication_failed', 'LOGIN', () => ({ ...loginBy('plain', 'writer', 'wrong'), tls }), 'SASL_AUTHENTICATION_FAILED'],
    ['a wrong password of SCRAM', 'broker_authentication_failed', 'LOGIN', () => ({ ...loginBy('scram-sha-256', 'writer', 'wrong'), tls }), 'SASL_AUTHENTICATION_FAILED'],
    ['a mechanism that the broker does not know', 'broker_login_unsupported', 'LOGIN', () => ({ ...loginBy('scram-sha-512'), tls }), 'UNSUPPORTED_SASL_MECHANISM'],
    ['a login at a broker that takes none', 'broker_login_unsupported', 'CLIENT', () => loginBy('plain'), 'ILLEGAL_SASL_STATE'],
    ['no login where one is asked for', 'broker_unreachable', 'LOGIN', () => ({ tls }), 'it may ask for a login'],
    ['an unknown authority', 'tls_untrusted', 'LOGIN', () => ({ ...loginBy('plain'), tls: {} }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['another authority', 'tls_untrusted', 'LOGIN', () => ({ ...loginBy('plain'), tls: { ca: stranger.ca } }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['an expired certificate', 'tls_expired', 'EXPIRED', () => ({ tls }), 'certificate has expired'],
    ['a certificate for another name', 'tls_wrong_name', 'OTHER_NAME', () => ({ tls }), "IP: 127.0.0.1 is not in the cert's list"],
    ['no certificate of ours where one is asked for', 'tls_client_refused', 'MUTUAL', () => ({ tls }), 'alert bad certificate'],
    ['a certificate of ours that the broker does not trust', 'tls_client_refused', 'MUTUAL', () => ({ tls: certificate(ofStranger) }), 'alert certificate unknown'],
    ['a certificate of ours that has expired', 'tls_client_refused', 'MUTUAL', () => ({ tls: certificate(expired) }), 'alert certificate'],
    ['TLS at a plain port', 'tls_not_spoken', 'CLIENT', () => ({ tls }), 'it may be a port without TLS'],
    ['TLS at a plain port with a login', 'tls_not_spoken', 'PLAIN_LOGIN', () => ({ ...loginBy('plain'), tls }), 'it may be a port without TLS'],
    ['no TLS at a port with TLS', 'tls_required', 'LOGIN', () => loginBy('plain'), 'the other side speaks TLS'],
    ['a missing right to write to the topic', 'authorization_denied', 'LOGIN', () => ({ ...loginBy('plain', 'nobody'), tls }), 'TOPIC_AUTHORIZATION_FAILED'],
  ];
  for (const [what, code, listener, options, words] of refusals) {
    it(`says ${code} for ${what}, once in the log, and tells no password`, async () => {
      const lines: string[] = [];
      const note = (level: string) => (message: string, fields?: object) => void lines.push(JSON.stringify({ level, message, ...fields }));
      const logger = { error: note('error'), warn: note('warn'), info: note('info') };
      const inner: string[] = [];
      const adapter = closing.add(adapterFor(broker.at(listener), { ...options(), logger, log: (entry) => void inner.push(JSON.stringify(entry)) }));
      for (let nth = 0; nth < 3; nth += 1) {
        const result = await send(adapter, attempt(`t-${nth}`), kafka({ topic }));
        expectFailed(result, code);
        expect(result.kind === 'failed' && result.detail).to.include(words).and.to.not.include('SSL routines');
      }
      expect(lines).to.have.lengthOf(code === 'broker_unreachable' ? 0 : 1);
      for (const line of lines) expect(JSON.parse(line)).to.include({ level: 'error', message: 'kafka refuses us', cluster: 'default', code });
      expect([...lines, ...inner].join('\n')).to.not.match(/secret-of|wrong"/);
      // One connection for each send, and none by itself.
      expect(inner.filter((line) => line.includes('"namespace":"Connection"')).length).to.be.at.most(3);
    });
  }

  it('sends nothing but TLS when TLS is asked for, to the broker that is named and to those that it names', async () => {
    // The cluster names its listener by address, and the certificate has it.
    const { port } = broker.at('MUTUAL');
    const adapter = closing.add(adapterFor({ host: 'localhost', port }, { tls: certificate(ofWriter) }));
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
  });

  describe('with what is stored for a destination', () => {
    let stored = new Map<string, Credentials>();
    const find = (host: string, path: string): CredentialsInUse | undefined => new CredentialIndex([...stored].map(([key, values]) => [key, { key, identity: JSON.stringify([key, values]), values }] as const), hostOfName).find(host, path);
    const watch = { has: (): boolean => stored.size > 0, find: (host: string, path: string): CredentialsInUse | undefined => find(host, path) };
    const pem = async ({ cert, key }: IssuedCertificate): Promise<Credentials> => ({ client_certificate: { certificate: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8'), ca: await readFile(broker.authority.ca, 'utf8') } });
    const sasl = async (username: keyof typeof users, password: string = users[username]): Promise<Credentials> => ({ sasl: { mechanism: 'scram-sha-256', username, password, tls: true }, client_certificate: { ca: await readFile(broker.authority.ca, 'utf8') } });
    const other = { host: '127.0.0.1', port: 9 };
    let ofNobody: string;

    before(async () => {
      ofNobody = await broker.probe.createTopic();
      await broker.allowWrite('nobody', ofNobody);
    });
    beforeEach(() => {
      stored = new Map();
    });

    it('writes to each topic as the user that is stored for it, and shows the others none', async () => {
      const login = broker.at('LOGIN');
      const host = `kafka://${login.host}:${login.port}`;
      const without = await broker.probe.createTopic();
      stored.set(`${host}/${topic}`, await sasl('writer')).set(`${host}/${ofNobody}`, await sasl('nobody'));
      const adapter = closing.add(adapterFor(other, { stored: watch }));
      const topics = [topic, ofNobody, without];
      const results = await Promise.all(Array.from({ length: 60 }, (_, nth) => send(adapter, attempt(`t-${nth}`), kafka({ topic: topics[nth % 3] ?? '', broker: login }))));
      expect(results.map((result) => (result.kind === 'delivered' ? 'delivered' : result.code))).to.deep.equal(Array.from({ length: 20 }, () => ['delivered', 'delivered', 'tls_required']).flat());
      // Each may write to its own topic alone, so the other way round all are refused.
      stored = new Map([[`${host}/${topic}`, await sasl('nobody')], [`${host}/${ofNobody}`, await sasl('writer')]]);
      for (const where of [topic, ofNobody]) expectFailed(await send(adapter, attempt('t'), kafka({ topic: where, broker: login })), 'authorization_denied');
    });

    it('takes a changed password for the next message, and says what is wrong with a login of the topic alone', async () => {
      const login = broker.at('LOGIN');
      const key = `kafka://${login.host}:${login.port}/${topic}`;
      const lines: string[] = [];
      const note = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
      const adapter = closing.add(adapterFor(other, { stored: watch, logger: { error: note, warn: note, info: note } }));
      stored.set(key, await sasl('writer'));
      expectDelivered(await send(adapter, attempt('t'), kafka({ topic, broker: login })));
      stored.set(key, await sasl('writer', 'not-the-password-of-writer'));
      const refused = await send(adapter, attempt('t'), kafka({ topic, broker: login }));
      expectFailed(refused, 'broker_authentication_failed');
      expect(refused).to.include({ isHostWell: true, isOfWholeEndpoint: true });
      stored.set(key, await sasl('writer'));
      expectDelivered(await send(adapter, attempt('t'), kafka({ topic, broker: login })));
      expect(lines.filter((line) => line.startsWith('kafka refuses us'))).to.have.lengthOf(1);
      expect(`${lines.join('\n')} ${JSON.stringify(refused)}`).to.not.include('not-the-password').and.to.not.include(users.writer);
    });

    it('takes the place of KAFKA_* for the whole default cluster, whose failure is then the cluster\'s', async () => {
      const adapter = closing.add(adapterFor(broker.at('MUTUAL'), { ...loginBy('plain'), tls, stored: watch }));
      stored.set('kafka://default', await pem(ofWriter));
      expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
      for (const bad of [expired, ofStranger]) {
        stored.set('kafka://default', await pem(bad));
        const result = await send(adapter, attempt('t'), kafka({ topic }));
        expectFailed(result, 'tls_client_refused');
        expect(result).to.not.have.property('isHostWell');
      }
      // Without an authority of its own, that of KAFKA_TLS_CA_FILE holds.
      stored.set('kafka://default', { client_certificate: { certificate: await readFile(ofWriter.cert, 'utf8'), key: await readFile(ofWriter.key, 'utf8') } });
      expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
    });

    it('sends a login without TLS only when it is told to', async () => {
      const plain = broker.at('PLAIN_LOGIN');
      const key = `kafka://${plain.host}:${plain.port}`;
      const adapter = closing.add(adapterFor(other, { stored: watch }));
      const login = { mechanism: 'plain', username: 'writer', password: users.writer } as const;
      stored.set(key, { sasl: login });
      expectFailed(await send(adapter, attempt('t'), kafka({ topic, broker: plain })), 'tls_not_spoken');
      stored.set(key, { sasl: { ...login, tls: false } });
      expectDelivered(await send(adapter, attempt('t'), kafka({ topic, broker: plain })));
    });

    it('sends nothing with credentials that cannot be decrypted', async () => {
      const login = broker.at('LOGIN');
      const adapter = closing.add(adapterFor(other, { stored: { has: () => true, find: () => ({ key: 'x', identity: 'x', values: {}, fault: 'unknown key' }) } }));
      expectFailed(await send(adapter, attempt('t'), kafka({ topic, broker: login })), 'credentials_unreadable');
    });
  });

  it('says that a right is back: one line', async () => {
    const later = await broker.probe.createTopic();
    const lines: string[] = [];
    const note = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const adapter = closing.add(adapterFor(broker.at('LOGIN'), { ...loginBy('plain'), tls, logger: { error: note, warn: note, info: note } }));
    expectFailed(await send(adapter, attempt('t'), kafka({ topic: later })), 'authorization_denied');
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic })));
    await broker.allowWrite('writer', later);
    await eventually(async () => { expectDelivered(await send(adapter, attempt('t'), kafka({ topic: later }))); }, { withinMs: 15_000 });
    expect(lines).to.have.lengthOf(2);
    expect(lines[0]).to.match(/^kafka refuses us .*"topic":"test-.*"code":"authorization_denied"/);
    expect(lines[1]).to.equal(`kafka lets us in again ${JSON.stringify({ cluster: 'default', topic: later })}`);
  });

  it('takes new certificates from the files, and keeps the good ones while the new ones are of no use', async () => {
    const own = await broker.authority.issue({ commonName: 'writer', names: [] });
    await Promise.all([copyFile(ofStranger.cert, own.cert), copyFile(ofStranger.key, own.key)]);
    const complaints: string[] = [];
    const logger = { error: (message: string, fields?: object) => void complaints.push(`${message} ${JSON.stringify(fields)}`), warn: () => undefined, info: () => undefined };
    const adapter = closing.add(adapterFor(broker.at('MUTUAL'), { tls: certificate(own), logger, maxOpenTopics: 1 }));
    const other = await broker.probe.createTopic();
    await broker.allowWrite('writer', other);
    // With room for one topic, each of these makes a new connection.
    const sendBoth = async () => [await send(adapter, attempt('t'), kafka({ topic })), await send(adapter, attempt('t'), kafka({ topic: other }))] as const;
    expectFailed((await sendBoth())[0], 'tls_client_refused');
    await Promise.all([copyFile(ofWriter.cert, own.cert), copyFile(ofWriter.key, own.key)]);
    (await sendBoth()).forEach(expectDelivered);
    await writeFile(own.cert, 'half of a certific');
    (await sendBoth()).forEach(expectDelivered);
    expect(complaints.filter((line) => line.includes('cannot be used'))).to.have.lengthOf(1);
    expect(complaints.join()).to.include('holds no certificate');
  });

  it('changes the connection before the login ends: nothing fails, and nothing is sent twice', async () => {
    const steady = await broker.probe.createTopic({ partitions: 2 });
    await broker.allowWrite('writer', steady);
    const adapter = closing.add(adapterFor(broker.at('SHORT_LOGIN'), { ...loginBy('scram-sha-512'), tls }));
    const startedAt = performance.now();
    const ids: string[] = [];
    // The broker ends a login after a second, and refuses one that is renewed sooner.
    while (performance.now() - startedAt < 2_500) {
      const some = Array.from({ length: 5 }, () => `t-${ids.length}-${Math.random()}`);
      ids.push(...some);
      const results = await Promise.all(some.map((id) => send(adapter, attempt(id), kafka({ topic: steady }))));
      results.forEach(expectDelivered);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const stored = (await broker.probe.readAll(steady)).map(({ value }) => String(value));
    expect(stored.sort()).to.deep.equal(ids.map((id) => attempt(id).body).sort());
  });

  it('does not hold back many first sends at once', async () => {
    const adapter = closing.add(adapterFor(broker.at('LOGIN'), { ...loginBy('scram-sha-256'), tls }));
    const results = await Promise.all(Array.from({ length: 200 }, (_, nth) => send(adapter, attempt(`first-${nth}`), kafka({ topic }))));
    results.forEach(expectDelivered);
  });

  describe('and hosts that are not in KAFKA_BROKERS', () => describeForeignHosts(() => ({ broker: broker.at('PLAIN_LOGIN'), topic })));

  it('is checked by a worker that starts: one line says what is wrong, and no password', async () => {
    const { host, port } = broker.at('LOGIN');
    const password = `${broker.authority.ca}.password`;
    await writeFile(password, 'not-the-password\n');
    const settings = { REDIS_ADDR: printAddress(testRedisAddress()), KAFKA_BROKERS: `${host}:${port}`, KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: broker.authority.ca, KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'writer', KAFKA_PASSWORD_FILE: password };
    const worker = new ServiceProcess('workers/main.js', settings);
    try {
      await worker.hasWritten(/error worker: kafka refuses us .*code=broker_authentication_failed/);
      await worker.hasWritten(/worker is up/);
      expect(await worker.stop()).to.equal(0);
      expect(worker.output.match(/kafka refuses us/g)).to.have.lengthOf(1);
      expect(worker.output).to.not.include('not-the-password');
    } finally {
      await worker.kill();
    }
  });
});
