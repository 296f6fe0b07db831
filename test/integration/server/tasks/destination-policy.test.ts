import { expect } from 'chai';

import type { DestinationPolicy } from '../../../../shared/domain/addresses/destination-policy.js';
import { parseDestinationRule } from '../../../../shared/domain/addresses/destination-rule.js';
import { refusalReasons } from '../../../../shared/domain/refusals/refusal-reason.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { testRedisAddress } from '../../../support/redis.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, uniqueId, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

const rule = (text: string): NonNullable<ReturnType<typeof parseDestinationRule>> => parseDestinationRule(text) ?? expect.fail(text);
const internal: DestinationPolicy = { level: 'internal', allow: [], deny: [rule('bad.example')] };

describe('the address policy', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const start = async (policy: DestinationPolicy, kafkaBrokers = '10.0.0.9:9092'): Promise<void> => {
    service = await InProcessService.ready({ log: new CollectedLog(), destinationPolicy: policy, kafkaBrokers });
  };
  const post = (body: unknown, path = '/tasks'): Promise<Answer> => call(service.baseUrl, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const good: WireTask = httpTask('http://hooks.example/a', { dead_destination: { url: 'http://10.0.0.1/dead' }, initial_delay: 3_600 });

  it('refuses a task at the field whose address or name is forbidden, by every way in', async () => {
    await start(internal);
    const cases: readonly (readonly [changes: Partial<WireTask>, field: string])[] = [
      [{ destination: { url: 'http://127.0.0.1:8080/a' } }, 'destination.url'],
      [{ destination: { url: 'http://[::ffff:7f00:1]/a' } }, 'destination.url'],
      [{ destination: { url: 'http://2130706433/a' } }, 'destination.url'],
      [{ destination: { url: 'http://BAD.example./a' } }, 'destination.url'],
      [{ destination: { url: 'http://169.254.169.254/latest/meta-data' } }, 'destination.url'],
      [{ dead_destination: { url: 'http://0/dead' } }, 'dead_destination.url'],
      [{ destination_type: 'kafka', dead_destination_type: 'http', destination: { host: '::1', port: 9092, topic: 'orders' } }, 'destination.host'],
      [{ destination_type: 'kafka', dead_destination_type: 'http', destination: { host: '2130706433', port: 9092, topic: 'orders' } }, 'destination.host'],
    ];
    for (const [changes, field] of cases) {
      const task = { ...good, id: uniqueId(), ...changes };
      const single = await post(task);
      expect([single.status, single.body['code']], JSON.stringify(single.body)).to.deep.equal([400, 'invalid_task']);
      expect((single.body['details'] as { field: string }[]).map((detail) => detail.field)).to.deep.equal([field]);
      expect(JSON.stringify(single.body)).not.to.match(/DESTINATION_|internal/);
      const batch = await post([{ ...good, id: uniqueId() }, task], '/tasks/batch');
      expect((batch.body['results'] as { status: number }[]).map(({ status }) => status), JSON.stringify(batch.body)).to.deep.equal([201, 400]);
    }
    const id = uniqueId('edited');
    await submitNew(service.baseUrl, { ...good, id });
    const edited = await call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination: { url: 'http://127.1/' } }) });
    expect([edited.status, edited.body['code']]).to.deep.equal([400, 'invalid_task']);
    expect(service.log).to.include('127.0.0.1 is a loopback address (DESTINATION_POLICY=internal)');
  });

  it('stands at every door: the same address by each call that names one (L5)', async () => {
    await start(internal);
    const id = uniqueId('stored');
    await submitNew(service.baseUrl, { ...good, id });
    const url = 'http://[::ffff:169.254.169.254]/latest/meta-data';
    const patch = (path: string, body: object): Promise<Answer> => call(service.baseUrl, path, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const doors: readonly (readonly [name: string, code: string, field: string, answer: () => Promise<Answer>])[] = [
      // Five lines of one address are written in a second, so one of each kind of door stands in front.
      ['token url', 'invalid_request', 'oauth2.token_url', () => patch(`/destinations/${encodeURIComponent('http://hooks.example')}/credentials`, { oauth2: { token_url: url, client_id: 'c', client_secret: 's' } })],
      ['override', 'invalid_request', 'override.destination.url', () => post({ action: 'redrive', ids: [id], override: { destination: { url } } }, '/bulk-actions')],
      ['POST', 'invalid_task', 'destination.url', () => post({ ...good, id: uniqueId(), destination: { url } })],
      ['dead destination', 'invalid_task', 'dead_destination.url', () => post({ ...good, id: uniqueId(), dead_destination: { url } })],
      ['PATCH', 'invalid_task', 'destination.url', () => patch(`/tasks/${id}`, { destination: { url } })],
      ['PATCH of the dead destination', 'invalid_task', 'dead_destination.url', () => patch(`/tasks/${id}`, { dead_destination: { url } })],
      ['override of a type', 'invalid_request', 'override.destination.host', () => post({ action: 'redrive', ids: [id], override: { destination_type: 'kafka', destination: { host: '169.254.169.254', port: 9092, topic: 'orders' } } }, '/bulk-actions')],
      ['override of the dead destination', 'invalid_request', 'override.dead_destination.url', () => post({ action: 'redrive', ids: [id], dry_run: true, override: { dead_destination: { url } } }, '/bulk-actions')],
      ['test send', 'invalid_task', 'destination.url', () => post({ destination_type: 'http', destination: { url } }, '/test-sends')],
      ['test send to Kafka', 'invalid_task', 'destination.host', () => post({ destination_type: 'kafka', destination: { host: '169.254.169.254', port: 9092, topic: 'orders' } }, '/test-sends')],
    ];
    for (const [name, code, field, ask] of doors) {
      const counted = service.refusals.get('address') ?? 0;
      const { status, body } = await ask();
      expect(service.refusals.get('address'), `${name} is counted`).to.equal(counted + 1);
      expect([status, body['code'], (body['details'] as { field: string }[] | undefined)?.[0]?.field], `${name}: ${JSON.stringify(body)}`).to.deep.equal([400, code, field]);
      expect(JSON.stringify(body), name).not.to.match(/DESTINATION_|internal|link-local/);
    }
    const batch = await post([{ ...good, id: uniqueId(), destination: { url } }], '/tasks/batch');
    expect((batch.body['results'] as { status: number }[]).map(({ status }) => status)).to.deep.equal([400]);
    expect(service.refusals.get('address')).to.equal(doors.length + 1);
    for (const path of ['/tasks"', '/bulk-actions"', '/credentials"']) {
      const [line = ''] = service.log.split('\n').filter((each) => each.includes('"request refused"') && each.includes(path));
      expect(JSON.parse(line), path).to.include({ why: refusalReasons.address, limit: 'DESTINATION_POLICY, DESTINATION_ALLOW, DESTINATION_DENY' });
    }
  });

  it('is about what clients name: brokers of KAFKA_BROKERS are the word of the operator', async () => {
    await start({ ...internal, level: 'public' }, '127.0.0.1:9092');
    const kafkaTask = (port: number): object => ({ ...good, dead_destination: { url: 'http://hooks.example/' }, destination_type: 'kafka', dead_destination_type: 'http', id: uniqueId(), destination: { host: '127.0.0.1', port, topic: 'orders' } });
    expect((await post(kafkaTask(9092))).status).to.equal(201);
    expect((await post(kafkaTask(9093))).status).to.equal(400);
  });

  it('never takes the address of its own Redis', async () => {
    await start({ level: 'any', allow: [rule('127.0.0.0/8')], deny: [] });
    const { port } = testRedisAddress();
    for (const host of ['127.0.0.1', '127.0.0.2', '[::1]', '0']) expect((await post({ ...good, id: uniqueId(), destination: { url: `http://${host}:${port}/` } })).status, host).to.equal(400);
    expect((await post({ ...good, id: uniqueId(), destination: { url: `http://127.0.0.1:${port + 1}/` } })).status).to.equal(201);
  });

  it('meets tasks that were accepted before it: they end without a retry, and their dead letter is sent', async () => {
    await start({ level: 'any', allow: [], deny: [] });
    const dead: DestinationPolicy = { level: 'internal', allow: [rule(`127.0.0.1:${receiver.port}`)], deny: [] };
    const id = uniqueId('earlier');
    await submitNew(service.baseUrl, httpTask('http://127.0.0.2:9/hook', { id, max_retries: 5, dead_destination: { url: receiver.url('/dead') } }));
    await service.startWorker({ destinationPolicy: dead });
    await waitForState(service.baseUrl, id, 'dead_lettered');
    const { timeline } = await getTask(service.baseUrl, id);
    expect(timeline.filter(({ kind }) => kind === 'attempt').map((entry) => ('error_code' in entry ? entry.error_code : undefined))).to.deep.equal(['address_forbidden', null]);
    expect(receiver.requests).to.have.lengthOf(1);
  });
});
