import { expect } from 'chai';

import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import { FakeKafka, frame, i16, i32, text, type FakeKafkaOptions } from '../../support/fake-kafka.js';
import type { FakeScramOptions } from '../../support/fake-scram.js';
import { freePort } from '../../../scripts/servers/free-port.mjs';
import { Closing, adapterFor, attempt, expectDelivered, expectFailed, kafka, send } from './sending.js';

const credentials = { mechanism: 'scram-sha-256', username: 'someone', password: 'secret' } as const;
const limits = { sendTimeoutMs: 1_500, connectTimeoutMs: 1_000 };
const notKafka = 'the other side is no Kafka broker';

const broken: readonly (readonly [what: string, scram: FakeScramOptions, text: string])[] = [
  ['a nonce that is not ours', { first: (good) => good.replace(/^r=./, 'r=!') }, notKafka],
  ['our nonce alone', { first: (good) => good.replace('and-more', '') }, notKafka],
  ['no rounds', { first: (good) => good.replace(/,i=.*/, '') }, notKafka],
  ['0 rounds', { first: (good) => good.replace(/i=.*/, 'i=0') }, notKafka],
  ['one round', { first: (good) => good.replace(/i=.*/, 'i=1') }, notKafka],
  ['2^31 rounds', { first: (good) => good.replace(/i=.*/, 'i=2147483648') }, notKafka],
  ['rounds that are no number', { first: (good) => good.replace(/i=.*/, 'i=many') }, notKafka],
  ['a salt that is no base64', { first: (good) => good.replace(/s=[^,]*/, 's=???') }, notKafka],
  ['no salt', { first: (good) => good.replace(/s=[^,]*,/, '') }, notKafka],
  ['an empty first message', { first: () => '' }, notKafka],
  ['a first message of zeros', { first: () => '\0'.repeat(20) }, notKafka],
  ['a first message of 10,000 commas', { first: () => ','.repeat(10_000) }, notKafka],
  ['a signature that is no base64', { final: () => 'v=???' }, notKafka],
  ['a signature that is cut', { final: (good) => good.slice(0, -8) }, notKafka],
  ['an empty last message', { final: () => '' }, notKafka],
  ['the signature of another password', { password: 'another' }, 'has not proved that it knows the password'],
  ['a wrong signature', { final: () => `v=${Buffer.alloc(32, 7).toString('base64')}` }, 'has not proved that it knows the password'],
];

describe('kafka adapter: brokers whose side of a login is broken', function () {
  this.timeout(20_000);
  const closing = new Closing();
  afterEach(() => closing.closeAll());

  async function sendTo(options: FakeKafkaOptions, mechanism: 'plain' | 'scram-sha-256' = 'scram-sha-256') {
    const broker = closing.add(await FakeKafka.start(options));
    const adapter = closing.add(adapterFor(broker, { ...limits, credentials: { ...credentials, mechanism } }));
    return send(adapter, attempt('t'), kafka({ topic: 't' }));
  }

  it('lets us log in to a broker that is sound', async () => {
    expectDelivered(await sendTo({ scram: {} }));
    expectDelivered(await sendTo({ scram: { rounds: 16_384 } }));
    expectDelivered(await sendTo({}, 'plain'));
  });

  for (const [what, scram, words] of broken) {
    it(`blames the other side, and not the credentials, for ${what}`, async () => {
      const result = await sendTo({ scram });
      expectFailed(result, 'broker_unreachable');
      expect(result.kind === 'failed' && result.detail).to.include(words);
    });
  }

  /** SaslAuthenticate, version 1. */
  const refusal = (error: number, words: string): Buffer => Buffer.concat([i16(error), text(words), i32(-1), Buffer.alloc(8)]);
  const refusals: readonly (readonly [what: string, options: FakeKafkaOptions])[] = [
    ['an error of the protocol', { reply: ({ api, correlationId }) => (api === 'saslAuthenticate' ? frame(correlationId, refusal(58, 'wrong password')) : undefined) }],
    ['an error of SCRAM in the last message', { scram: { final: () => 'e=invalid-proof' } }],
    ['an error of SCRAM in the first message', { scram: { first: () => 'e=unknown-user' } }],
  ];
  for (const [what, options] of refusals) {
    it(`says that the credentials are refused when the broker says so by ${what}`, async () => {
      expectFailed(await sendTo(options), 'broker_authentication_failed');
    });
  }

  for (const mechanism of ['plain', 'scram-sha-256'] as const) {
    const ends: readonly (readonly [how: string, code: DeliveryErrorCode, reply: FakeKafkaOptions['reply']])[] = [
      ['closes the connection', 'broker_unreachable', ({ api, socket }) => { if (api !== 'saslAuthenticate') return undefined; socket.end(); return 'silence'; }],
      ['resets the connection', 'broker_unreachable', ({ api, socket }) => { if (api !== 'saslAuthenticate') return undefined; socket.resetAndDestroy(); return 'silence'; }],
      ['is silent', 'broker_timed_out', ({ api }) => (api === 'saslAuthenticate' ? 'silence' : undefined)],
      ['sends zeros', 'broker_unreachable', ({ api }) => (api === 'saslAuthenticate' ? Buffer.alloc(64) : undefined)],
    ];
    for (const [how, code, reply] of ends) {
      it(`does not blame the credentials when a broker ${how} during a login by ${mechanism}`, async () => {
        expectFailed(await sendTo(reply === undefined ? {} : { reply }, mechanism), code);
      });
    }
  }

  it('has the password in no answer and no line of a log when a broker repeats it, be it that of KAFKA_* (L22)', async () => {
    const lines: string[] = [];
    const note = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const password = 'marked-password/0815';
    const login = Buffer.from(`\0someone\0${password}`).toString('base64');
    const broker = closing.add(await FakeKafka.start({ reply: ({ api, correlationId, body }) => (api === 'saslAuthenticate' ? frame(correlationId, refusal(58, `refused:${body.subarray(4).toString().replaceAll('\0', ' ')} ${login}`)) : undefined) }));
    const adapter = closing.add(adapterFor(broker, { ...limits, credentials: { mechanism: 'plain', username: 'someone', password }, logger: { error: note, warn: note, info: note }, log: ({ message, fields }) => { note(message, fields); } }));
    await adapter.checkAccess();
    const result = await send(adapter, attempt('t'), kafka({ topic: 't' }));
    expectFailed(result, 'broker_authentication_failed');
    expect(lines.length).to.be.above(1);
    for (const text of [JSON.stringify(result), ...lines]) {
      expect(text).to.contain('***');
      for (const secret of [password, login.replace(/=+$/, '')]) expect(text).to.not.contain(secret);
    }
  });

  it('tries the next broker of KAFKA_BROKERS when the login of the first one is broken', async () => {
    const bad = closing.add(await FakeKafka.start({ scram: { first: () => '' } }));
    const good = closing.add(await FakeKafka.start({ scram: {} }));
    const adapter = closing.add(adapterFor(good, { ...limits, credentials, defaultBrokers: [bad, good].map(({ host, port }) => `${host}:${port}`) }));
    expectDelivered(await send(adapter, attempt('t'), kafka({ topic: 't' })));
  });

  it('says that a message was not sent when the leader lets the login wait, and never sends it later', async () => {
    const port = await freePort();
    let answerLogin: (() => void) | undefined;
    const leader = closing.add(await FakeKafka.start({
      scram: {},
      reply: (request, self) => {
        if (request.api !== 'saslHandshake') return undefined;
        answerLogin = () => request.socket.write(self.good(request));
        return 'silence';
      },
    }, port));
    const broker = closing.add(await FakeKafka.start({ scram: {}, partitions: [{ id: 0, leader: 2 }], others: [{ node: 2, host: leader.host, port }] }));
    const adapter = closing.add(adapterFor(broker, { ...limits, credentials }));
    const result = await send(adapter, attempt('t'), kafka({ topic: 't', key: 'k' }));
    expectFailed(result, 'broker_timed_out');
    expect(result).to.include({ isHostWell: true });
    expect(result.kind === 'failed' && result.detail).to.include('not sent').and.to.not.include('no answer');
    answerLogin?.();
    // What kafkajs still holds would be written behind the login, on the same connection.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(leader.produced).to.deep.equal([]);
  });
});
