import { readFile } from 'node:fs/promises';
import tls from 'node:tls';

import { expect } from 'chai';

import { TestAuthority } from '../../../support/certificates.js';
import { marksOf, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { FakeKafka, frame, i16, i32, text } from '../../../support/fake-kafka.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { getTask, httpTask, submitNew, type WireTask } from '../../../support/tasks.js';

/** What a member of credentials is set to, and the secrets in it. */
interface Marked {
  readonly body: object;
  readonly secrets: readonly string[];
}

describe('credentials of destinations, when a send fails', function () {
  this.timeout(60_000);
  const log = new CollectedLog();
  let service: InProcessService;
  let receiver: Receiver;
  let authority: TestAuthority;
  let broker: FakeKafka;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    [receiver, authority] = await Promise.all([createReceiver(), TestAuthority.create()]);
    service = await InProcessService.ready({ secretsKeys: secretKey('k1'), log });
    // It repeats the login that it refuses, word by word.
    broker = await FakeKafka.start({ reply: ({ api, correlationId, body }) => (api === 'saslAuthenticate' ? frame(correlationId, Buffer.concat([i16(58), text(`refused: ${body.subarray(4).toString().replaceAll('\0', ' ')}`), i32(-1), Buffer.alloc(8)])) : undefined) });
  });
  after(async () => {
    await service.close();
    await Promise.all([receiver.close(), authority.close(), broker.stop(), ...closing.map((close) => close())]);
  });

  const secretOf = (member: string): string => `marked-${member}-0815/ü`;
  const asciiOf = (member: string): string => `marked-${member}-0815`;

  async function marked(): Promise<Readonly<Record<string, Marked>>> {
    const { cert, key } = await authority.issue();
    const pem = await readFile(key, 'utf8');
    return {
      headers: { body: { headers: { 'x-api-key': asciiOf('headers') } }, secrets: [asciiOf('headers')] },
      basic: { body: { basic: { user: 'u', password: secretOf('basic') } }, secrets: [secretOf('basic'), `u:${secretOf('basic')}`] },
      bearer: { body: { bearer: { token: asciiOf('bearer') } }, secrets: [asciiOf('bearer')] },
      client_certificate: { body: { client_certificate: { certificate: await readFile(cert, 'utf8'), key: pem } }, secrets: pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-')) },
    };
  }

  /** An origin whose certificate no known authority has signed. */
  async function untrusted(): Promise<string> {
    const { cert, key } = await authority.issue();
    const server = tls.createServer({ cert: await readFile(cert), key: await readFile(key) }).on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    closing.push(() => new Promise((resolve) => { server.close(resolve); }));
    const address = server.address();
    return `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : expect.fail('no port')}`;
  }

  /** Everything of this service that stands in Redis. */
  async function stored(): Promise<string> {
    const { redis, prefix } = service;
    const keys = await redis.keys(`*${prefix}*`);
    const values = await Promise.all(keys.map(async (key): Promise<unknown> => {
      switch (await redis.type(key)) {
        case 'string': return redis.get(key);
        case 'hash': return redis.hgetall(key);
        case 'list': return redis.lrange(key, 0, -1);
        case 'set': return redis.smembers(key);
        case 'zset': return redis.zrange(key, '0', '-1');
        case 'stream': return redis.xrange(key, '-', '+');
        default: return undefined;
      }
    }));
    return JSON.stringify(values);
  }

  it('are in no log line, no answer, no audit entry and no key of Redis: every member, every kind of error (L22)', async () => {
    const origin = receiver.url('');
    // What each path does with a request; the two other origins take no connection, or none with TLS.
    const places = { quotes: origin, resets: origin, hangs: origin, refuses: 'http://127.0.0.1:9', 'is-no-tls': origin.replace('http:', 'https:'), 'is-not-trusted': await untrusted() } as const;
    const secrets: string[] = [];
    const tasks: WireTask[] = [];
    for (const [member, { body, secrets: own }] of Object.entries(await marked())) {
      secrets.push(...own);
      for (const [error, base] of Object.entries(places)) {
        if (member === 'client_certificate' && !base.startsWith('https:')) continue;
        const path = `/${member}/${error}`;
        await setCredentials(service.baseUrl, `${base}${path}`, body);
        tasks.push(httpTask(`${base}${path}`, { on_exhausted: 'park' }));
        if (error === 'quotes') receiver.on(path, ({ headers }) => ({ kind: 'answer', status: 400, body: `no: ${JSON.stringify(headers)}` }));
        if (error === 'resets') receiver.on(path, { kind: 'break', when: 'before_headers' });
        if (error === 'hangs') receiver.on(path, { kind: 'hang' });
      }
    }
    for (const error of ['quotes', 'resets', 'hangs'] as const) {
      const tokenUrl = receiver.url(`/token/${error}`);
      const secret = secretOf(`oauth2-${error}`);
      secrets.push(secret);
      if (error === 'quotes') receiver.on('/token/quotes', (request) => ({ kind: 'answer', status: 400, body: JSON.stringify({ error: request.body.toString(), error_description: JSON.stringify(request.headers) }) }));
      else receiver.on(`/token/${error}`, error === 'resets' ? { kind: 'break', when: 'before_headers' } : { kind: 'hang' });
      for (const how of ['header', 'body'] as const) {
        await setCredentials(service.baseUrl, `${origin}/oauth2/${error}/${how}`, { oauth2: { token_url: tokenUrl, client_id: 'c', client_secret: secret, client_authentication: how } });
        tasks.push(httpTask(`${origin}/oauth2/${error}/${how}`, { on_exhausted: 'park' }));
      }
    }
    const signing = await setCredentials(service.baseUrl, `${origin}/signing/quotes`, { signing: { rotate: {} } });
    const whsec = /whsec_[A-Za-z0-9+/=]+/.exec(JSON.stringify(signing))?.[0] ?? expect.fail('no signing secret is shown');
    secrets.push(whsec, whsec.slice('whsec_'.length));
    receiver.on('/signing/quotes', ({ headers }) => ({ kind: 'answer', status: 400, body: JSON.stringify(headers) }));
    tasks.push(httpTask(`${origin}/signing/quotes`, { on_exhausted: 'park' }));
    for (const mechanism of ['plain', 'scram-sha-256'] as const) {
      const topic = `orders-${mechanism}`;
      secrets.push(secretOf(mechanism));
      await setCredentials(service.baseUrl, `kafka://${broker.host}:${broker.port}/${topic}`, { sasl: { mechanism, username: 'someone', password: secretOf(mechanism), tls: false } });
      tasks.push(httpTask('', { destination_type: 'kafka', dead_destination_type: 'http', destination: { topic, host: broker.host, port: broker.port }, on_exhausted: 'park' }));
    }

    await service.startWorker({ deliveryTimeout: '1s' });
    for (const task of tasks) await submitNew(service.baseUrl, { ...task, max_retries: 0, base_delay: 0.05 });
    const shown = await Promise.all(tasks.map(({ id }) => eventually(async () => {
      const task = await getTask(service.baseUrl, id);
      expect(task.timeline.length, JSON.stringify(task)).to.be.above(0);
      return JSON.stringify(task);
    }, { withinMs: 20_000 })));
    const read = async (path: string): Promise<string> => (await fetch(`${service.baseUrl}${path}`)).text();
    const listed = await Promise.all(['/tasks?limit=1000', '/audit?limit=1000', '/failures', '/destinations', '/metrics'].map(read));
    const inRedis = await stored();
    expect(inRedis).to.contain('k1.');
    expect(shown.join()).to.match(/broker_authentication_failed/).and.to.match(/http_client_error/).and.to.match(/connection_reset/).and.to.match(/timed_out/).and.to.match(/connection_refused/).and.to.match(/tls_/);
    const marks = [...new Set(secrets.flatMap((secret) => [...marksOf(secret)]))];
    expect(marks.length).to.be.above(30);
    for (const [where, all] of [['tasks', shown.join('\n')], ['lists', listed.join('\n')], ['Redis', inRedis], ['log', service.log]] as const) {
      expect(marks.filter((mark) => all.includes(mark)), where).to.deep.equal([]);
    }
  });
});
