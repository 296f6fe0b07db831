// An APM as operators load one (`node --require`): a provider, a propagator, and instrumentations that add headers to what is sent.
const { context, propagation, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { IORedisInstrumentation } = require('@opentelemetry/instrumentation-ioredis');
const { KafkaJsInstrumentation } = require('@opentelemetry/instrumentation-kafkajs');
const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'of-the-apm' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: process.env.APM_ENDPOINT }), { scheduledDelayMillis: 100 })],
});
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(provider);
registerInstrumentations({ instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation(), new KafkaJsInstrumentation(), new IORedisInstrumentation()] });
require('node:http');
