import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { otlpOverGrpc, otlpOverHttp, type OtlpReceiver, type ReceivedSpan } from '../support/otlp/otlp-receiver.js';
import { createReceiver, type ReceivedRequest, type Receiver } from '../support/receiver.js';
import { Service, type Settings } from '../support/service.js';
import { call, httpTask, waitForState, type WireTask } from '../support/tasks.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const SECRET = 'hunter2hunter2hunter2';
const COLLECTOR_KEY = 'key of the collector';
const KIND = { server: 2, client: 3, producer: 4, consumer: 5 } as const;
const often: Settings = { OTEL_BSP_SCHEDULE_DELAY: '100' };

function traceOf(request: ReceivedRequest | undefined): readonly (string | undefined)[] {
  expect(request?.headerNames.filter((name) => name === 'traceparent')).to.have.lengthOf.at.most(1);
  return [request?.headers['traceparent'], request?.headers['tracestate']];
}

describe('Tracing', function () {
  this.timeout(90_000);
  let receiver: Receiver;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    receiver = await createReceiver();
  });
  after(() => receiver.close());
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function started(otlp: OtlpReceiver, settings: Settings): Promise<Service> {
    closing.push(() => otlp.close());
    const service = await Service.start({ settings: { ...often, ...settings } });
    closing.push(() => service.close());
    return service;
  }

  function fileWithKey(): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'tracing-test-'));
    closing.push(async () => { rmSync(folder, { recursive: true }); });
    const file = path.join(folder, 'headers');
    writeFileSync(file, `api-key=${encodeURIComponent(COLLECTOR_KEY)}\n`);
    return file;
  }

  async function submit({ baseUrl }: Service, task: WireTask, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const { status, body } = await call(baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(task) });
    expect(status, JSON.stringify(body)).to.equal(201);
  }

  const spanOf = (otlp: OtlpReceiver, name: string, id: string, attempt?: number): Promise<ReceivedSpan> =>
    otlp.hasSpan((span) => span.name === name && span.attributes['messaging.message.id'] === id && (attempt === undefined || span.attributes['kafka_retry.attempt'] === attempt));

  it('sends spans of submission, attempts and sends over HTTP, linked to the trace of the client, without secrets', async () => {
    const otlp = await otlpOverHttp();
    const service = await started(otlp, { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_EXPORTER_OTLP_HEADERS_FILE: fileWithKey(), OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' });
    receiver.on('/once', (_request, nth) => ({ kind: 'answer', status: nth === 1 ? 503 : 200 }));
    const url = `${receiver.url('/once').replace('http://', `http://user:${SECRET}@`)}?token=${SECRET}`;
    const task = httpTask(url, { max_retries: 1, message_data: `{"secret":"${SECRET}"}` });
    await submit(service, task, { traceparent: PARENT, tracestate: 'congo=t61rcWkgMzE' });
    await waitForState(service.baseUrl, task.id, 'delivered');

    const submission = await spanOf(otlp, 'send tasks', task.id);
    const request = await otlp.hasSpan(({ spanId }) => spanId === submission.parentSpanId);
    expect([request.traceId, request.parentSpanId, request.kind, request.name, submission.kind]).to.deep.equal([TRACE, SPAN, KIND.server, 'POST /tasks', KIND.producer]);
    expect(request.attributes).to.deep.equal({ 'http.request.method': 'POST', 'http.route': '/tasks', 'url.path': '/tasks', 'url.scheme': 'http', 'http.response.status_code': 201 });
    expect(request.resource).to.include({ 'service.name': 'kafka-retry-service', 'kafka_retry.role': 'api', 'deployment.environment.name': 'test' });

    const endpoint = receiver.url('/once');
    for (const [attempt, code, status] of [[0, 'unavailable', 503], [1, undefined, 200]] as const) {
      const process = await spanOf(otlp, 'process tasks', task.id, attempt);
      expect([process.kind, process.parentSpanId, process.status], 'a root of its own').to.deep.equal([KIND.consumer, '', code === undefined ? 0 : 2]);
      expect(process.links).to.deep.equal([{ traceId: TRACE, spanId: SPAN }, { traceId: submission.traceId, spanId: submission.spanId }]);
      expect(process.attributes).to.include({ 'messaging.system': 'kafka_retry_service', 'messaging.operation.name': 'process', 'kafka_retry.client_id': task.client_id, 'kafka_retry.outcome': code === undefined ? 'delivered' : 'retry' });
      const send = await otlp.hasSpan(({ parentSpanId }) => parentSpanId === process.spanId);
      expect([send.kind, send.name, send.traceId]).to.deep.equal([KIND.client, 'POST', process.traceId]);
      const { 'error.type': error, ...facts } = send.attributes;
      expect(facts).to.deep.equal({ 'http.request.method': 'POST', 'url.full': endpoint, 'server.address': '127.0.0.1', 'server.port': receiver.port, 'http.response.status_code': status, ...(attempt === 0 ? {} : { 'http.request.resend_count': attempt }) });
      expect(error === undefined, String(error)).to.equal(code === undefined);
      expect(process.attributes['error.type']).to.equal(error);
    }
    expect(receiver.requestsFor(task.id).map(traceOf)).to.deep.equal(Array(2).fill([PARENT, 'congo=t61rcWkgMzE']));
    expect([...otlp.apiKeys], 'a key that was given as a file, to the API and the worker').to.deep.equal([COLLECTOR_KEY]);
    expect(otlp.text).to.not.include(SECRET);
    expect(otlp.text).to.not.include(Buffer.from(`user:${SECRET}`).toString('base64'));
  });

  it('sends the span of the send with a task that came in no trace, by gRPC, and one span for a batch', async () => {
    const otlp = await otlpOverGrpc();
    const broker = kafkaTestBroker();
    const probe = new KafkaProbe(broker);
    closing.push(() => probe.close());
    const topic = await probe.createTopic();
    const service = await started(otlp, { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE: fileWithKey(), OTEL_SERVICE_NAME: 'retries' });
    const toKafka = httpTask('', { destination_type: 'kafka', destination: { host: broker.host, port: broker.port, topic }, dead_destination: { host: broker.host, port: broker.port, topic } });
    const tasks = [httpTask(receiver.url('/batch')), toKafka];
    const { status } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tasks) });
    expect(status).to.equal(207);
    const submission = await otlp.hasSpan(({ attributes }) => attributes['messaging.batch.message_count'] === 2);
    expect(submission.resource['service.name']).to.equal('retries');
    expect([...otlp.apiKeys]).to.deep.equal([COLLECTOR_KEY]);
    for (const { id } of tasks) {
      await waitForState(service.baseUrl, id, 'delivered');
      const process = await spanOf(otlp, 'process tasks', id);
      expect(process.links).to.deep.equal([{ traceId: submission.traceId, spanId: submission.spanId }]);
      const send = await otlp.hasSpan(({ parentSpanId }) => parentSpanId === process.spanId);
      const own = `00-${send.traceId}-${send.spanId}-01`;
      if (id !== toKafka.id) {
        expect(traceOf(receiver.requestsFor(id)[0])).to.deep.equal([own, undefined]);
        continue;
      }
      const [message] = await probe.readAtLeast(topic, 1);
      expect(String(message?.headers['traceparent'])).to.equal(own);
      expect([send.kind, send.name]).to.deep.equal([KIND.producer, `send ${topic}`]);
      expect(send.attributes).to.include({ 'messaging.system': 'kafka', 'messaging.destination.name': topic, 'messaging.destination.partition.id': '0', 'messaging.kafka.offset': 0 });
    }
  });

  it('samples by the standard variables, and loads nothing of the SDK with OTEL_SDK_DISABLED', async () => {
    const otlp = await otlpOverHttp();
    const service = await started(otlp, { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_TRACES_SAMPLER: 'parentbased_always_off' });
    const [unsampled, sampled] = [httpTask(receiver.url('/unsampled')), httpTask(receiver.url('/sampled'))];
    await submit(service, unsampled);
    await submit(service, sampled, { traceparent: PARENT });
    for (const { id } of [unsampled, sampled]) await waitForState(service.baseUrl, id, 'delivered');
    await spanOf(otlp, 'send tasks', sampled.id);
    expect(otlp.spans.map(({ traceId }) => traceId).filter((id) => id !== TRACE)).to.deep.equal([]);
    expect(traceOf(receiver.requestsFor(unsampled.id)[0])).to.deep.equal([undefined, undefined]);
    await service.close();
    const before = otlp.requests;
    const off = await Service.start({ settings: { ...often, OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_SDK_DISABLED: 'true', NODE_OPTIONS: `--require=${path.join(import.meta.dirname, 'preload/count-otel.cjs')}` } });
    closing.push(() => off.close());
    const task = httpTask(receiver.url('/off'));
    await submit(off, task, { traceparent: PARENT });
    await waitForState(off.baseUrl, task.id, 'delivered');
    await off.close();
    expect(otlp.requests).to.equal(before);
    expect(off.output.match(/files of the SDK: \d+/g), 'nothing of it is loaded').to.deep.equal(Array(2).fill('files of the SDK: 0'));
  });

  for (const answer of ['hangs', 'refuses'] as const) {
    it(`delivers and stops in time while the collector ${answer}`, async () => {
      const otlp = await otlpOverHttp(answer);
      const service = await started(otlp, { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_EXPORTER_OTLP_HEADERS: `api-key=${SECRET}`, SHUTDOWN_TIMEOUT: '2s' });
      const tasks = Array.from({ length: 20 }, () => httpTask(receiver.url('/away')));
      for (const task of tasks) await submit(service, task);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
      const startedAt = performance.now();
      await service.close();
      expect(performance.now() - startedAt).to.be.below(4_000);
      expect(otlp.requests).to.be.above(0);
      if (answer === 'refuses') expect(service.output).to.include('OTLPExporterError, code 401').and.not.include(SECRET);
    });
  }

  it('delivers, traces nothing, and shows no key where the SDK does not start', async () => {
    // A name that is a header of HTTP, for which gRPC throws.
    for (const headers of [`api-key-bin=${SECRET}`, `api!key=${SECRET}`]) {
      const service = await started(await otlpOverHttp(), { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_HEADERS: headers });
      const task = httpTask(receiver.url('/untraced'));
      await submit(service, task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect(service.output.match(/traces are lost/g), 'the API and the worker').to.have.lengthOf(2);
      expect(service.output).to.not.include(SECRET);
    }
  });

  it('works beside an APM: one header on the wire, its provider, and its span of the request as the parent', async () => {
    const otlp = await otlpOverHttp();
    const topicOf = kafkaTestBroker();
    const probe = new KafkaProbe(topicOf);
    closing.push(() => probe.close());
    const topic = await probe.createTopic();
    const service = await started(otlp, { NODE_OPTIONS: `--require=${path.join(import.meta.dirname, 'preload/apm.cjs')}`, APM_ENDPOINT: `${otlp.endpoint}/v1/traces` });
    const [known, unknown] = [httpTask(receiver.url('/apm')), httpTask(receiver.url('/apm'))];
    const kafka = httpTask('', { destination_type: 'kafka', destination: { host: topicOf.host, port: topicOf.port, topic }, dead_destination: { host: topicOf.host, port: topicOf.port, topic } });
    await submit(service, known, { traceparent: PARENT });
    await submit(service, unknown);
    await submit(service, kafka, { traceparent: PARENT });
    for (const { id } of [known, unknown, kafka]) await waitForState(service.baseUrl, id, 'delivered');
    expect(traceOf(receiver.requestsFor(known.id)[0])).to.deep.equal([PARENT, undefined]);
    const process = await spanOf(otlp, 'process tasks', unknown.id);
    const send = await otlp.hasSpan(({ parentSpanId }) => parentSpanId === process.spanId);
    expect(traceOf(receiver.requestsFor(unknown.id)[0])).to.deep.equal([`00-${send.traceId}-${send.spanId}-01`, undefined]);
    const [message] = await probe.readAtLeast(topic, 1);
    expect(Object.entries(message?.headers ?? {}).filter(([name]) => name === 'traceparent').map(([, value]) => String(value))).to.deep.equal([PARENT]);
    const submission = await spanOf(otlp, 'send tasks', known.id);
    const request = await otlp.hasSpan(({ spanId }) => spanId === submission.parentSpanId);
    expect([request.kind, request.name, request.traceId, request.resource['service.name']]).to.deep.equal([KIND.server, 'POST /tasks', TRACE, 'of-the-apm']);
    expect(otlp.spans.filter(({ kind, traceId }) => kind === KIND.server && traceId === TRACE), 'one span a request').to.have.lengthOf(2);
  });
});
