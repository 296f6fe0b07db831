import { expect } from 'chai';

import { ADMIN_KEY, callWith, makeKey } from '../../../support/access-keys.js';
import { secretKey } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { KafkaProbe, kafkaTestBroker } from '../../../support/kafka.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { monitorRedis } from '../../../support/redis-monitor.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import type { Answer } from '../../../support/tasks.js';

const SECRET = 'a-header-that-nobody-shall-see';

describe('POST /test-sends', function () {
  this.timeout(60_000);
  const log = new CollectedLog();
  const broker = kafkaTestBroker();
  const probe = new KafkaProbe(broker);
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, secretsKeys: secretKey('k1'), log });
    await service.startWorker({ deliveryTimeout: '1s' });
  });
  after(async () => {
    await service.close();
    await receiver.close();
    await probe.close();
  });

  /** With a key of its own, since ten a minute is all that one may ask for. */
  async function testSend(body: object, settings: { readonly key?: string } = {}): Promise<Answer> {
    const key = settings.key ?? (await makeKey(service.baseUrl, { role: 'operate', permissions: ['edit'] })).key;
    return callWith(key, service.baseUrl, '/test-sends', { method: 'POST', body });
  }
  const toHttp = (path: string, more: object = {}): object => ({ destination_type: 'http', destination: { url: receiver.url(path), ...more } });

  it('sends once, with the credentials, the signature and the headers that a task would have, and answers with the attempt', async () => {
    const patched = await callWith(ADMIN_KEY, service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/with'))}/credentials`, { method: 'PATCH', body: { bearer: { token: 'token-1' }, signing: { rotate: {} } } });
    expect(patched.status).to.equal(200);
    const inRedis: string[] = [];
    const endMonitor = await monitorRedis((args) => inRedis.push(args.join(' ')));
    const { status, body } = await eventually(async () => {
      const answer = await testSend({ ...toHttp('/with', { method: 'PUT', headers: { 'X-Own': SECRET } }), message_data: '{"hello":"ä"}', reason: 'does it answer' });
      expect(receiver.requestsTo('/with').at(-1)?.headers['authorization'], 'the worker knows the credentials').to.equal('Bearer token-1');
      return answer;
    });
    expect(status).to.equal(200);
    expect(body).to.include({ kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', outcome: 'delivered', error_code: null, http_status: 200, error: null, destination_key: receiver.url('/with') });
    expect(Date.parse(String(body['started_at']))).to.be.closeTo(Date.now(), 10_000);
    const request = receiver.requestsTo('/with').at(-1);
    expect([request?.method, request?.body.toString(), request?.taskId]).to.deep.equal(['PUT', '{"hello":"ä"}', body['id']]);
    expect(request?.headers).to.include({ 'x-own': SECRET, 'x-retry-test': 'true' });
    expect(request?.headers['webhook-signature']).to.match(/^v1,/);
    const { body: audit } = await callWith(ADMIN_KEY, service.baseUrl, '/audit?action=destination.test_send');
    expect((audit['entries'] as { reason: string; target: { id: string } }[])[0]).to.deep.include({ reason: 'does it answer', target: { type: 'destination', id: receiver.url('/with') } });
    endMonitor();
    expect(inRedis.some((command) => command.includes(`${service.prefix}:test-sends:requests`))).to.equal(true);
    expect(`${service.log}${inRedis.join('\n')}`).to.not.contain(SECRET);
  });

  it('answers 200 whatever the receiver says, or does not say', async () => {
    receiver.on('/broken', { kind: 'answer', status: 500, body: 'out of order' });
    receiver.on('/silent', { kind: 'hang' });
    const broken = await testSend(toHttp('/broken'));
    expect([broken.status, broken.body['outcome'], broken.body['error_code'], broken.body['http_status']]).to.deep.equal([200, 'failed', 'http_server_error', 500]);
    expect(broken.body['error']).to.contain('out of order');
    const nobody = await testSend({ destination_type: 'http', destination: { url: 'http://127.0.0.1:9/' } });
    expect([nobody.status, nobody.body['error_code'], nobody.body['http_status']]).to.deep.equal([200, 'connection_refused', null]);
    const silent = await testSend(toHttp('/silent'));
    expect([silent.status, silent.body['error_code']]).to.deep.equal([200, 'timed_out']);
  });

  it('goes past a pause, and is counted in nothing', async () => {
    receiver.on('/counted', { kind: 'answer', status: 503 });
    const path = `/destinations/${encodeURIComponent(receiver.url('/counted'))}`;
    const paused = await callWith(ADMIN_KEY, service.baseUrl, '/destinations/*/pause', { method: 'POST', body: {} });
    expect(paused.status).to.equal(200);
    const { key } = await makeKey(service.baseUrl, { role: 'operate', permissions: ['edit'] });
    const answers: Answer[] = [];
    for (let nth = 0; nth < 11; nth += 1) answers.push(await testSend(toHttp('/counted'), { key }));
    expect(answers.map(({ status }) => status)).to.deep.equal([...Array.from({ length: 10 }, () => 200), 429]);
    expect(answers.at(-1)?.body['code']).to.equal('rate_limited');
    expect(receiver.requestsTo('/counted')).to.have.length(10);
    await callWith(ADMIN_KEY, service.baseUrl, '/destinations/*/resume', { method: 'POST', body: {} });
    // Whatever is counted is reported each second: a report that began later has come.
    const before = Date.now();
    await eventually(async () => {
      const { body } = await callWith(ADMIN_KEY, service.baseUrl, '/status');
      expect(Date.now() - before, JSON.stringify(body)).to.be.above(1_200);
    });
    const { body: shown } = await callWith(ADMIN_KEY, service.baseUrl, path);
    expect([shown['failed'], shown['delivered'], (shown['circuit'] as { state: string }).state]).to.deep.equal([0, 0, 'closed']);
    const { body: failures } = await callWith(ADMIN_KEY, service.baseUrl, '/failures');
    expect(failures['groups']).to.deep.equal([]);
    const { body: counts } = await callWith(ADMIN_KEY, service.baseUrl, '/counts');
    expect(counts['count']).to.equal(0);
  });

  it('reaches Kafka too', async () => {
    const topic = await probe.createTopic();
    const delivered = await testSend({ destination_type: 'kafka', destination: { topic, host: broker.host, port: broker.port }, message_data: 'to kafka' });
    expect(delivered.body).to.include({ outcome: 'delivered', partition: 0, offset: '0', destination_key: `kafka://${broker.host}:${broker.port}/${topic}` });
    expect((await probe.readAll(topic)).map(({ value }) => value?.toString())).to.deep.equal(['to kafka']);
    const missing = await testSend({ destination_type: 'kafka', destination: { topic: 'not-there', host: broker.host, port: broker.port } });
    expect(missing.body).to.include({ outcome: 'failed', error_code: 'topic_unknown' });
  });

  it('costs Redis no command while nobody wants one: workers hear of it with what they ask for anyway', async () => {
    const commands: (readonly string[])[] = [];
    const endMonitor = await monitorRedis((args) => commands.push(args));
    try {
      const ticks = (): number => commands.filter((args) => args.includes(`${service.prefix}:flow:versions`) && args.includes(`${service.prefix}:test-sends:requests`)).length;
      await eventually(() => { expect(ticks()).to.be.at.least(6); });
      const asked = commands.filter((args) => /^evalsha/i.test(args[0] ?? '') && args[3]?.startsWith(`${service.prefix}:test-sends:`) === true);
      expect(asked).to.deep.equal([]);
    } finally {
      endMonitor();
    }
    expect((await testSend(toHttp('/after-a-rest'))).body['outcome']).to.equal('delivered');
  });

  it('makes more at once than a worker takes at once, one after the other', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => testSend(toHttp('/slow'))));
    expect(answers.map(({ body }) => body['outcome'])).to.deep.equal(Array.from({ length: 6 }, () => 'delivered'));
    expect(receiver.requestsTo('/slow')).to.have.lengthOf(6);
  });

  it('refuses what a task could not have, at the field', async () => {
    const complaints: [object, string, string][] = [
      [{}, 'invalid_task', 'destination_type'],
      [{ destination_type: 'http', destination: {} }, 'invalid_task', 'destination.url'],
      [{ destination_type: 'http', destination: { url: 'http://169.254.169.254/latest' } }, 'invalid_task', 'destination.url'],
      [{ ...toHttp('/'), message: 'x' }, 'invalid_task', 'message'],
      [{ ...toHttp('/'), message_data: { a: 1 } }, 'invalid_task', 'message_data'],
    ];
    for (const [body, code, field] of complaints) {
      const answer = await testSend(body);
      expect([answer.status, answer.body['code'], (answer.body['details'] as { field: string }[])[0]?.field], JSON.stringify(body)).to.deep.equal([400, code, field]);
    }
  });

  it('asks for the permission edit, and for a key that is not bound to clients', async () => {
    const plain = await makeKey(service.baseUrl, { role: 'operate' });
    const bound = await makeKey(service.baseUrl, { role: 'operate', permissions: ['edit'], client_ids: ['c1'] });
    for (const { key } of [plain, bound]) expect((await testSend(toHttp('/'), { key })).status).to.equal(403);
  });

  it('says that there is no worker, and leaves nothing behind', async () => {
    const alone = await InProcessService.ready({ log });
    try {
      const response = await fetch(`${alone.baseUrl}/test-sends`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(toHttp('/')) });
      expect([response.status, ((await response.json()) as { code: string }).code]).to.deep.equal([503, 'no_worker']);
      expect((await alone.redis.keys(`${alone.prefix}*test-send*`))).to.deep.equal([]);
    } finally {
      await alone.close();
    }
  });
});
