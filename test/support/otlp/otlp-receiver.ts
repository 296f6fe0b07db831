import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';

import { loadPackageDefinition, type Metadata, Server, ServerCredentials, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

import { eventually } from '../eventually.js';

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** '' for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  /** 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2: error. */
  readonly status: number;
}

export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Every byte that came, as text: for what must not stand there. */
  readonly text: string;
  readonly requests: number;
  /** Of each request. */
  readonly apiKeys: ReadonlySet<string | undefined>;
  /** Waits until a span like this has come. */
  hasSpan(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>;
  close(): Promise<void>;
}

interface Wire {
  readonly resource_spans: readonly { readonly resource: { readonly attributes: readonly WireAttribute[] } | null; readonly scope_spans: readonly { readonly spans: readonly WireSpan[] }[] }[];
}
interface WireAttribute {
  readonly key: string;
  readonly value: { readonly value: string } & Readonly<Record<string, unknown>>;
}
interface WireSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly WireAttribute[];
  readonly links: readonly { readonly trace_id: Buffer; readonly span_id: Buffer }[];
  readonly status: { readonly code: number } | null;
}

const { TraceService } = serviceOf(loadSync(path.join(import.meta.dirname, 'traces.proto'), { keepCase: true, longs: String, defaults: true, arrays: true, oneofs: true }));
const { Export } = TraceService;

function serviceOf(definition: ReturnType<typeof loadSync>): { readonly TraceService: ServiceDefinition & { readonly Export: ServiceDefinition[string] } } {
  // What the file above defines.
  const loaded = loadPackageDefinition(definition) as unknown as { opentelemetry: { proto: { collector: { trace: { v1: { TraceService: { service: ServiceDefinition } } } } } } };
  return { TraceService: loaded.opentelemetry.proto.collector.trace.v1.TraceService.service as ServiceDefinition & { readonly Export: ServiceDefinition[string] } };
}

class Received {
  readonly spans: ReceivedSpan[] = [];
  text = '';
  requests = 0;
  readonly apiKeys = new Set<string | undefined>();

  take(bytes: Buffer): void {
    this.requests += 1;
    this.text += bytes.toString('latin1');
    this.takeMessage(Export.requestDeserialize(bytes) as Wire);
  }

  takeMessage({ resource_spans: all }: Wire): void {
    for (const { resource, scope_spans: scopes } of all) {
      const ofResource = attributesOf(resource?.attributes ?? []);
      for (const span of scopes.flatMap(({ spans }) => spans)) {
        this.spans.push({
          traceId: span.trace_id.toString('hex'),
          spanId: span.span_id.toString('hex'),
          parentSpanId: span.parent_span_id.toString('hex'),
          name: span.name,
          kind: span.kind,
          attributes: attributesOf(span.attributes),
          resource: ofResource,
          links: span.links.map((link) => ({ traceId: link.trace_id.toString('hex'), spanId: link.span_id.toString('hex') })),
          status: span.status?.code ?? 0,
        });
      }
    }
  }

  hasSpan(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    return eventually(() => this.spans.find(matches) ?? fail(this.spans), { withinMs: 20_000 });
  }
}

function fail(spans: readonly ReceivedSpan[]): never {
  throw new Error(`no such span among ${JSON.stringify(spans.map(({ name, attributes }) => [name, attributes]), undefined, 1)}`);
}

function attributesOf(attributes: readonly WireAttribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.value === 'int_value' ? Number(value['int_value']) : (value[value.value] as string | number | boolean)]));
}

/** A collector that takes OTLP over HTTP in protobuf, at POST /v1/traces. @param answer what it does with a request; default 200. It refuses with 401, and quotes the headers */
export async function otlpOverHttp(answer: 'takes' | 'hangs' | 'refuses' = 'takes'): Promise<OtlpReceiver> {
  const received = new Received();
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/x-protobuf') return response.writeHead(400).end();
      received.apiKeys.add(request.headers['api-key']?.toString());
      received.take(Buffer.concat(chunks));
      if (answer === 'hangs') return;
      const isTaken = answer === 'takes';
      response.writeHead(isTaken ? 200 : 401, { 'Content-Type': isTaken ? 'application/x-protobuf' : 'text/plain' }).end(isTaken ? '' : `not taken: ${JSON.stringify(request.headers)}`);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(received, {
    endpoint: `http://127.0.0.1:${port}`,
    hasSpan: received.hasSpan.bind(received),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
}

/** A collector that takes OTLP over gRPC. */
export async function otlpOverGrpc(): Promise<OtlpReceiver> {
  const received = new Received();
  const server = new Server();
  const handle: UntypedHandleCall = (call: { readonly request: Wire; readonly metadata: Metadata }, callback: (error: null, response: object) => void) => {
    received.requests += 1;
    received.apiKeys.add(call.metadata.get('api-key').join());
    received.takeMessage(call.request);
    callback(null, {});
  };
  server.addService(TraceService, { Export: handle });
  const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error))));
  return Object.assign(received, {
    endpoint: `http://127.0.0.1:${port}`,
    hasSpan: received.hasSpan.bind(received),
    close: async () => server.forceShutdown(),
  });
}
