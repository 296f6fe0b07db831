import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../../../shared/queue/names.js';
import { startBulkAction } from '../../../support/bulk-actions.js';
import { KafkaProbe, kafkaTestBroker } from '../../../support/kafka.js';
import { RawConnection } from '../../../support/raw-connection.js';
import { createReceiver, type ReceivedRequest, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, retryNow, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const OTHER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
const STATE = 'rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE';

/** The two headers of a request, as the bytes that came over the wire. */
function traceOf(request: ReceivedRequest | undefined): readonly (string | undefined)[] {
  const names = request?.headerNames.filter((name) => name.startsWith('trace')) ?? [];
  expect(names, 'none stands there twice').to.deep.equal([...new Set(names)]);
  return [request?.headerBytes('traceparent')?.toString('latin1'), request?.headerBytes('tracestate')?.toString('latin1')];
}

describe('The trace context of a submission', function () {
  this.timeout(60_000);
  let service: InProcessService;
  let receiver: Receiver;
  let probe: KafkaProbe;

  before(async () => {
    probe = new KafkaProbe(kafkaTestBroker());
    receiver = await createReceiver();
    service = await InProcessService.ready();
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
    await probe.close();
  });

  async function submit(task: WireTask, headers: Readonly<Record<string, string>>): Promise<number> {
    const { status } = await call(service.baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(task) });
    return status;
  }

  it('goes unchanged to every attempt, into the dead letter, through a change and a redrive, and stands in the log', async () => {
    receiver.on('/fails', { kind: 'answer', status: 503 });
    const task = httpTask(receiver.url('/fails'), { max_retries: 1, dead_destination: { url: receiver.url('/dead') } });
    expect(await submit(task, { traceparent: PARENT, tracestate: STATE })).to.equal(201);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect((await call(service.baseUrl, `/tasks/${task.id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message_data: 'new', max_retries: 0 }) })).status).to.equal(200);
    expect((await retryNow(service.baseUrl, task.id)).status).to.equal(202);
    await receiver.waitForRequests(2, { path: '/dead' });
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task.id], id: uniqueId('ba'), override: { destination: { url: receiver.url('/mended') } } });
    await waitForState(service.baseUrl, task.id, 'delivered');
    const sent = receiver.requestsFor(task.id);
    expect(sent.map(({ path }) => path)).to.deep.equal(['/fails', '/fails', '/dead', '/fails', '/dead', '/mended']);
    for (const request of sent) expect(traceOf(request), request.path).to.deep.equal([PARENT, STATE]);
    const lines = service.log.split('\n').filter((line) => line.includes(task.id) && line.includes('"message":"attempt"'));
    expect(lines.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)).to.deep.equal(Array(6).fill(TRACE));
  });

  it('goes along with each task of a batch, as an array and by lines', async () => {
    for (const [type, print] of [['application/json', (tasks: readonly WireTask[]) => JSON.stringify(tasks)], ['application/x-ndjson', (tasks: readonly WireTask[]) => tasks.map((task) => JSON.stringify(task)).join('\n')]] as const) {
      const tasks = [httpTask(receiver.url('/batch')), httpTask(receiver.url('/batch'), { message_data: 'x'.repeat(300_000) })];
      const { status } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': type, traceparent: PARENT, tracestate: STATE }, body: print(tasks) });
      expect(status).to.equal(207);
      for (const { id } of tasks) {
        await waitForState(service.baseUrl, id, 'delivered');
        expect(traceOf(receiver.requestsFor(id)[0]), type).to.deep.equal([PARENT, STATE]);
      }
    }
  });

  it('stands in the headers of Kafka messages, beside those of the destination', async () => {
    const { host, port } = kafkaTestBroker();
    const topic = await probe.createTopic();
    const task = httpTask('', { destination_type: 'kafka', destination: { host, port, topic, headers: { 'x-own': 'a' } }, dead_destination: { host, port, topic } });
    const own = { ...task, id: uniqueId(), destination: { ...task.destination, headers: { Traceparent: OTHER } } };
    expect(await submit(task, { traceparent: PARENT, tracestate: STATE })).to.equal(201);
    expect(await submit(own, { traceparent: PARENT, tracestate: STATE })).to.equal(201);
    const messages = await probe.readAtLeast(topic, 2);
    const headersOf = (id: string): unknown => {
      const found = messages.find(({ headers }) => String(headers['x-retry-task-id']) === id);
      return Object.entries(found?.headers ?? {}).filter(([name]) => !name.startsWith('x-retry-')).map(([name, value]) => [name, String(value)]).sort();
    };
    expect(headersOf(task.id)).to.deep.equal([['traceparent', PARENT], ['tracestate', STATE], ['x-own', 'a']]);
    expect(headersOf(own.id), 'the destination has a trace of its own').to.deep.equal([['Traceparent', OTHER]]);
  });

  it('gives way to the headers of an HTTP destination, so that none stands there twice', async () => {
    const task = httpTask('', { destination: { url: receiver.url('/own'), headers: { TraceParent: OTHER } } });
    expect(await submit(task, { traceparent: PARENT, tracestate: STATE })).to.equal(201);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(traceOf(receiver.requestsFor(task.id)[0])).to.deep.equal([OTHER, undefined]);
  });

  it('is no content: a repeat in another trace is the same task, and the first trace stays; a new run has its own', async () => {
    const task = httpTask(receiver.url('/repeated'), { initial_delay: 60 });
    expect([await submit(task, { traceparent: PARENT }), await submit(task, { traceparent: OTHER, tracestate: STATE }), await submit(task, {})]).to.deep.equal([201, 200, 200]);
    expect((await retryNow(service.baseUrl, task.id)).status).to.equal(202);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(await submit(task, { traceparent: OTHER })).to.equal(201);
    expect((await retryNow(service.baseUrl, task.id)).status).to.equal(202);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id).map(traceOf)).to.deep.equal([[PARENT, undefined], [OTHER, undefined]]);
  });

  it('is dropped when it is malformed, and the task is taken all the same', async () => {
    const broken: readonly (readonly [name: string, lines: readonly string[], expected: readonly (string | undefined)[]])[] = [
      ['54 characters', [`traceparent: ${PARENT.slice(0, 54)}`, `tracestate: ${STATE}`], [undefined, undefined]],
      ['two headers', [`traceparent: ${PARENT}`, `Traceparent: ${OTHER}`, `tracestate: ${STATE}`], [undefined, undefined]],
      ['more behind it', [`traceparent: ${PARENT}-extra`, `tracestate: ${STATE}`], [undefined, undefined]],
      ['bytes beyond ASCII', [`traceparent: ${PARENT}\u00ff`], [undefined, undefined]],
      ['a tracestate alone', [`tracestate: ${STATE}`], [undefined, undefined]],
      ['a tracestate of 4 kB', [`traceparent: ${PARENT}`, `tracestate: a=${'x'.repeat(4_000)}`], [PARENT, undefined]],
      ['40 members', [`traceparent: ${PARENT}`, `tracestate: ${Array.from({ length: 40 }, (_none, index) => `k${index}=v`).join(',')}`], [PARENT, undefined]],
      ['a tracestate in two headers', [`traceparent: ${PARENT}`, 'tracestate: a=1', 'tracestate: b=2'], [PARENT, 'a=1, b=2']],
      ['spaces around it', [`traceparent:  \t${PARENT} `, 'tracestate: a=1'], [PARENT, 'a=1']],
      ['a later version', [`traceparent: cc${PARENT.slice(2)}-more`], [`cc${PARENT.slice(2)}-more`, undefined]],
    ];
    for (const [name, lines, expected] of broken) {
      const task = httpTask(receiver.url('/broken'));
      const body = JSON.stringify(task);
      const connection = await RawConnection.open(service.baseUrl);
      connection.write(Buffer.from(`POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`, 'latin1'));
      await connection.closed();
      expect(connection.statuses, name).to.deep.equal([201]);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(traceOf(receiver.requestsFor(task.id)[0]), name).to.deep.equal(expected);
    }
  });

  it('is never sent as a person has written it into Redis', async () => {
    const task = httpTask(receiver.url('/tampered'), { initial_delay: 60 });
    expect(await submit(task, { traceparent: PARENT })).to.equal(201);
    const { keys } = (await service.queue.shards())[0] ?? expect.fail('no shard');
    const job = keys.job(task.id);
    const options = JSON.parse((await service.redis.hget(job, jobField.options)) ?? '') as object;
    await service.redis.hset(job, jobField.options, JSON.stringify({ ...options, traceparent: 'a\r\nx-evil: 1', tracestate: 7 }));
    expect((await retryNow(service.baseUrl, task.id)).status).to.equal(202);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(traceOf(receiver.requestsFor(task.id)[0]), jobIdOf(task.id)).to.deep.equal([undefined, undefined]);
  });
});
