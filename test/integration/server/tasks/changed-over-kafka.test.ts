import { expect } from 'chai';

import { startBulkAction } from '../../../support/bulk-actions.js';
import { KafkaProbe, kafkaTestBroker, type StoredMessage } from '../../../support/kafka.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, retryNow, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const broker = kafkaTestBroker();
/** Bytes that a text codec would change, if one stood in between. */
const MESSAGE = '{"n":23958446825181076828,  "text":"h\u00e9llo \u{1f680}"}';
const HEADERS = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '\u00fc': '\u{1f680}', empty: '' };

describe('A task to Kafka that is started again', function () {
  this.timeout(60_000);
  let service: InProcessService;
  let probe: KafkaProbe;
  let topic: string;

  before(async () => {
    probe = new KafkaProbe(broker);
    service = await InProcessService.ready();
    await service.startWorker();
    topic = await probe.createTopic();
  });
  after(async () => {
    await service.close();
    await probe.close();
  });

  /** A task that was parked because nobody answered at its broker, and goes to the topic after a change. */
  async function parked(): Promise<string> {
    const { dead_destination: _none, ...task } = httpTask('', { on_exhausted: 'park', destination_type: 'kafka', message_data: MESSAGE });
    const wire: WireTask = { ...task, destination: { host: '127.0.0.1', port: 9, topic, key: 'k\u00e9y', headers: HEADERS } };
    await submitNew(service.baseUrl, wire);
    await waitForState(service.baseUrl, wire.id, 'parked');
    const destination = { host: broker.host, port: broker.port, topic, key: 'k\u00e9y', headers: HEADERS };
    const { status, body } = await call(service.baseUrl, `/tasks/${wire.id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination }) });
    expect([status, body['edits'], body['destination_key'], body['state']], JSON.stringify(body)).to.deep.equal([200, 1, `kafka://${broker.host}:${broker.port}/${topic}`, 'parked']);
    return wire.id;
  }

  /** What the topic holds of a task, but for its id and the times. */
  function bytesOf(messages: readonly StoredMessage[], id: string): unknown {
    const found = messages.filter(({ headers }) => Object.values(headers).some((value) => value.toString().includes(id)));
    expect(found, id).to.have.lengthOf(1);
    const { key, value, headers } = found[0] ?? expect.fail(id);
    return { key: key?.toString('hex'), value: value?.toString('hex'), headers: Object.entries(headers).map(([name, bytes]) => [name, bytes.toString().replaceAll(id, '<id>')]).sort() };
  }

  it('is sent with the same bytes by a single call and by a bulk action, and says that it was changed', async () => {
    const [single, bulk, message] = [await parked(), await parked(), await parked()];
    expect((await retryNow(service.baseUrl, single)).status).to.equal(202);
    await startBulkAction(service.baseUrl, { action: 'redrive', ids: [bulk], id: uniqueId('ba') });
    await call(service.baseUrl, `/tasks/${message}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message_data: 'another one' }) });
    expect((await retryNow(service.baseUrl, message)).status).to.equal(202);
    for (const id of [single, bulk, message]) await waitForState(service.baseUrl, id, 'delivered');
    const messages = await probe.readAtLeast(topic, 3);
    const sent = bytesOf(messages, single) as { readonly key: string; readonly value: string; readonly headers: readonly (readonly [string, string])[] };
    expect(bytesOf(messages, bulk)).to.deep.equal(sent);
    expect([sent.key, sent.value]).to.deep.equal([Buffer.from('k\u00e9y').toString('hex'), Buffer.from(MESSAGE).toString('hex')]);
    expect(sent.headers).to.deep.include.members([...Object.entries(HEADERS).map(([name, value]) => [name, value]), ['x-retry-run', '2'], ['x-retry-edit', '1']]);
    const changed = bytesOf(messages, message) as typeof sent;
    expect(changed.value).to.equal(Buffer.from('another one').toString('hex'));
    expect(changed.headers).to.deep.include.members([['traceparent', HEADERS.traceparent], ['x-retry-edit', '2']]);
  });
});
