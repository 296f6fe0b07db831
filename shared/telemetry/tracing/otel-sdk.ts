import { setTimeout as wait } from 'node:timers/promises';
import { diag, DiagLogLevel, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, ConsoleSpanExporter, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { traceAttribute } from './trace-attributes.js';
import { troubleText } from './trouble-text.js';
import type { TracedProcess, TracingSettings } from './tracing.js';

/** A collector that is away fails every few seconds. */
const SAY_AGAIN_AFTER_MS = 60_000;

/**
 * Starts the SDK and registers its provider. The rest of the standard variables it reads by itself: sampler, endpoint, headers, limits of
 * its queue (OTEL_BSP_*), attributes of the resource.
 * @returns ends it within a limit, ms
 */
export function startSdk({ exporter, protocol, secretTexts }: TracingSettings, { version, role, instance, onTrouble }: TracedProcess): (limitMs: number) => Promise<void> {
  let saidAt = -Infinity;
  const trouble = (message: string): void => {
    if (performance.now() - saidAt < SAY_AGAIN_AFTER_MS) return;
    saidAt = performance.now();
    onTrouble(troubleText(message, secretTexts));
  };
  const silent = (): void => undefined;
  diag.setLogger({ error: trouble, warn: trouble, info: silent, debug: silent, verbose: silent }, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const own = resourceFromAttributes({ 'service.name': 'kafka-retry-service', 'service.version': version, 'service.instance.id': instance, [traceAttribute.role]: role });
  const resource = defaultResource().merge(own).merge(detectResources({ detectors: [envDetector] }));
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter === 'console' ? new ConsoleSpanExporter() : exporterFor(protocol))] });
  trace.setGlobalTracerProvider(provider);
  return async (limitMs) => {
    await Promise.race([provider.shutdown().catch((error: unknown) => trouble(error instanceof Error ? error.message : String(error))), wait(limitMs, undefined, { ref: false })]);
  };
}

function exporterFor(protocol: TracingSettings['protocol']): SpanExporter {
  switch (protocol) {
    case 'grpc':
      return new GrpcExporter();
    case 'http/json':
      return new JsonExporter();
    case 'http/protobuf':
      return new ProtobufExporter();
  }
}
