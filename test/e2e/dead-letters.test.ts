import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { KafkaProbe, kafkaTestBroker, type StoredMessage } from '../support/kafka.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { httpTask, submitNew, timeOf, uniqueId, waitForState, type ShownEntry, type WireDestination, type WireTask } from '../support/tasks.js';

const MESSAGE = '{"text":"h\u00e9llo \u{1f680}\\u0000",  "spaces":  "kept"}';

describe('e2e: exhausted tasks', () => {
  let service: Service;
  let receiver: Receiver;
  let probe: KafkaProbe;
  const broker = kafkaTestBroker();

  before(async () => {
    probe = new KafkaProbe(broker);
    service = await Service.start({ settings: { DEAD_ATTEMPTS: '3', DEAD_BASE_DELAY: '50ms' } });
    receiver = await createReceiver();
    receiver.on('/down', () => ({ kind: 'answer', status: 500, body: 'out of order' }));
  });
  after(async () => {
    await receiver.close();
    await service.close();
    await probe.close();
  });

  const toTopic = (topic: string): WireDestination => ({ host: broker.host, port: broker.port, topic });
  const text = (headers: StoredMessage['headers'], name: string): string | undefined => headers[name]?.toString('utf8');
  const missingTopic = (): string => uniqueId('missing');

  /** Three sends in all, then the dead letter. */
  function failingTask(changes: Partial<WireTask>): WireTask {
    return httpTask(receiver.url('/down'), { max_retries: 2, base_delay: 0.05, message_data: MESSAGE, ...changes });
  }

  it('go from HTTP to an HTTP dead destination with key, body and history', async () => {
    const task = failingTask({ dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    const done = await waitForState(service.baseUrl, task.id, 'dead_lettered');
    const sends = receiver.requestsFor(task.id);
    expect(sends.map(({ path, key }) => [path, key])).to.deep.equal([
      ['/down', `${task.id}|0`],
      ['/down', `${task.id}|1`],
      ['/down', `${task.id}|2`],
      ['/dead', `${task.id}|dead|3`],
    ]);
    expect(sends.map(({ body }) => body.toString('utf8'))).to.deep.equal([MESSAGE, MESSAGE, MESSAGE, MESSAGE]);
    const headers = sends[3]?.headers ?? {};
    expect(headers).to.include({
      'content-type': 'application/json',
      'user-agent': 'kafka-retry-service/1.0',
      'x-retry-task-id': task.id,
      'x-retry-source': 'orders',
      'x-retry-client-id': 'team-a',
      'x-retry-attempt': '2',
      'x-retry-max-retries': '2',
      'x-retry-run': '1',
      'x-retry-dead-reason': 'retries_exhausted',
      'x-retry-error': 'http_server_error: HTTP 500: out of order',
      'x-retry-original-destination': receiver.url('/down'),
    });
    const failedAt = ({ started_at, duration_ms = NaN }: ShownEntry): string => new Date(timeOf(started_at) + duration_ms).toISOString();
    expect(headers['x-retry-first-failed-at']).to.equal(done.timeline.slice(0, 1).map(failedAt)[0]);
    expect(headers['x-retry-last-failed-at']).to.equal(done.timeline.slice(2, 3).map(failedAt)[0]);
    expect(done).to.include({ phase: 'dead_letter', attempt: 0, next_attempt_at: null });
    expect(done.timeline.at(-1)).to.include({ outcome: 'delivered', next: 'dead_lettered', http_status: 200 });
    expect(done.dead_reason).to.equal('retries_exhausted');
  });

  it('go from Kafka to a Kafka dead destination', async () => {
    const dead = await probe.createTopic();
    const task = failingTask({ destination_type: 'kafka', destination: toTopic(missingTopic()), dead_destination: toTopic(dead) });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered', { withinMs: 20_000 });
    const [letter, ...more] = await probe.readAtLeast(dead, 1);
    expect(more).to.deep.equal([]);
    expect(letter?.key?.toString()).to.equal(`${task.id}|dead|3`);
    expect(letter?.value?.toString('utf8')).to.equal(MESSAGE);
    expect(text(letter?.headers ?? {}, 'x-retry-dead-reason')).to.equal('retries_exhausted');
    expect(text(letter?.headers ?? {}, 'x-retry-error')).to.match(/^topic_unknown/);
  });

  it('go from HTTP to a topic', async () => {
    const dead = await probe.createTopic();
    const task = failingTask({ dead_destination_type: 'kafka', dead_destination: { ...toTopic(dead), key: 'by-customer', headers: { origin: 'test' } } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    const [letter] = await probe.readAtLeast(dead, 1);
    expect(letter?.key?.toString()).to.equal('by-customer');
    expect(text(letter?.headers ?? {}, 'origin')).to.equal('test');
    expect(text(letter?.headers ?? {}, 'x-retry-task-id')).to.equal(task.id);
  });

  it('go from a topic to HTTP', async () => {
    const task = failingTask({
      destination_type: 'kafka',
      destination: toTopic(missingTopic()),
      dead_destination_type: 'http',
      dead_destination: { url: receiver.url('/dead-of-kafka') },
    });
    await submitNew(service.baseUrl, task);
    const [letter] = await receiver.waitForRequests(1, { path: '/dead-of-kafka', withinMs: 20_000 });
    expect(letter?.key).to.equal(`${task.id}|dead|3`);
    expect(letter?.body.toString('utf8')).to.equal(MESSAGE);
  });

  it('wait for a dead destination that is down at first', async () => {
    let isUp = false;
    receiver.on('/dead-later', () => ({ kind: 'answer', status: isUp ? 200 : 503 }));
    const task = failingTask({ max_retries: 0, dead_destination: { url: receiver.url('/dead-later') } });
    await submitNew(service.baseUrl, task);
    await receiver.waitForRequests(1, { path: '/dead-later' });
    isUp = true;
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(receiver.requestsTo('/dead-later').map(({ key }) => key)).to.deep.equal([`${task.id}|dead|1`, `${task.id}|dead|1`]);
  });

  it('are parked when the dead destination stays down', async () => {
    receiver.on('/dead-for-good', () => ({ kind: 'answer', status: 503 }));
    const task = failingTask({ max_retries: 0, dead_destination: { url: receiver.url('/dead-for-good') } });
    await submitNew(service.baseUrl, task);
    const parked = await waitForState(service.baseUrl, task.id, 'parked');
    expect(receiver.requestsTo('/dead-for-good').length).to.equal(3);
    expect(parked.timeline.map(({ phase, next }) => [phase, next])).to.deep.equal([
      ['delivery', 'dead_letter'],
      ['dead_letter', 'retry'],
      ['dead_letter', 'retry'],
      ['dead_letter', 'park'],
    ]);
  });

  it('are parked at once with on_exhausted: park', async () => {
    const { dead_destination: _none, ...task } = failingTask({ on_exhausted: 'park', max_retries: 1 });
    await submitNew(service.baseUrl, task);
    const parked = await waitForState(service.baseUrl, task.id, 'parked');
    expect(parked.timeline.map(({ attempt, next }) => [attempt, next])).to.deep.equal([[0, 'retry'], [1, 'park']]);
    expect(parked).to.include({ phase: 'delivery', attempt: 1 });
  });

  it('skip the remaining retries when no retry can help', async () => {
    const small = await probe.createTopic({ config: { 'max.message.bytes': '1000' } });
    const task = failingTask({
      max_retries: 50,
      destination_type: 'kafka',
      destination: toTopic(small),
      dead_destination_type: 'http',
      dead_destination: { url: receiver.url('/dead-too-large') },
      message_data: 'x'.repeat(20_000),
    });
    await submitNew(service.baseUrl, task);
    const [letter] = await receiver.waitForRequests(1, { path: '/dead-too-large' });
    expect(letter?.key).to.equal(`${task.id}|dead|1`);
    expect(letter?.headers).to.include({ 'x-retry-dead-reason': 'permanent_error' });
    expect(letter?.headers['x-retry-error']).to.match(/^message_too_large/);
  });

  it('deliver to a topic with the key of the attempt and all of the message', async () => {
    const topic = await probe.createTopic({ partitions: 3 });
    const tasks = Array.from({ length: 30 }, (_, index) =>
      httpTask('', { id: uniqueId(`t-${index}`), destination_type: 'kafka', destination: toTopic(topic), dead_destination: toTopic('never'), message_data: `${MESSAGE}${index}` }),
    );
    await Promise.all(tasks.map((task) => submitNew(service.baseUrl, task)));
    const stored = await eventually(async () => {
      const messages = await probe.readAll(topic);
      expect(messages.length).to.equal(30);
      return messages;
    });
    const values = new Map(stored.map(({ key, value }) => [key?.toString(), value?.toString('utf8')]));
    expect(values).to.deep.equal(new Map(tasks.map(({ id, message_data }) => [`${id}|0`, message_data])));
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
  });
});
