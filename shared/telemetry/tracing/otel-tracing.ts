import { context as activeContext, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Attributes, type Context, type Link, type Span, type SpanContext, type Tracer } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { spanOf, traceparentOf, type SubmittedTrace, type TraceContext } from '../../domain/trace-context.js';
import { OWN_DESTINATION, OWN_SYSTEM, traceAttribute } from './trace-attributes.js';
import type { AttemptSpan, RequestSpan, SentFacts, SubmissionSpan, TracedAttempt, TracedRequest, Tracing } from './tracing.js';

const SERVER_FAULT = 500;

/**
 * Spans by the API of OpenTelemetry, whoever has registered the provider behind it: our own SDK, or an APM that was loaded before us.
 * Contexts are handed on as arguments, so nothing here needs AsyncLocalStorage.
 */
export class OtelTracing implements Tracing {
  readonly #tracer: Tracer;

  /** @param stopSdk undefined when the provider belongs to somebody else */
  constructor(
    version: string,
    private readonly stopSdk: ((limitMs: number) => Promise<void>) | undefined,
  ) {
    this.#tracer = trace.getTracer('kafka-retry-service', version);
  }

  beginRequest({ method, route, path, trace: parent }: TracedRequest): RequestSpan {
    const tracer = this.#tracer;
    // An APM has made a span of this request already: it is told what it cannot know, and is the parent of ours.
    const ofApm = trace.getActiveSpan();
    if (ofApm !== undefined) {
      ofApm.setAttribute(traceAttribute.route, route);
      ofApm.updateName(`${method} ${route}`);
      return { beginSubmission: () => beginSubmission(tracer, activeContext.active()), end: () => undefined };
    }
    const attributes = { [traceAttribute.method]: method, [traceAttribute.route]: route, [traceAttribute.path]: path, [traceAttribute.scheme]: 'http' };
    const span = tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, contextOf(parent));
    const ofRequest = trace.setSpan(ROOT_CONTEXT, span);
    return {
      beginSubmission: () => beginSubmission(tracer, ofRequest),
      end: (status) => {
        if (status !== undefined) span.setAttribute(traceAttribute.status, status);
        if (status === undefined || status >= SERVER_FAULT) fail(span, status === undefined ? 'no_answer' : String(status));
        span.end();
      },
    };
  }

  beginAttempt(attempt: TracedAttempt): AttemptSpan {
    const { submitted } = attempt;
    const process = this.#tracer.startSpan(`process ${OWN_DESTINATION}`, { kind: SpanKind.CONSUMER, root: true, links: linksTo(submitted), attributes: processAttributes(attempt) }, ROOT_CONTEXT);
    const send = this.#tracer.startSpan(...sendSpanOf(attempt), trace.setSpan(ROOT_CONTEXT, process));
    const isRecorded = process.isRecording();
    return {
      traceId: isRecorded ? process.spanContext().traceId : undefined,
      context: isRecorded ? { traceparent: printed(send.spanContext()), tracestate: undefined } : undefined,
      send: (work) => activeContext.with(suppressTracing(activeContext.active()), work),
      end: (sent, outcome) => {
        if (sent === undefined) fail(send, 'not_sent');
        else tell(send, sent);
        send.end();
        process.setAttribute(traceAttribute.outcome, outcome);
        if (sent?.errorCode !== undefined) fail(process, sent.errorCode);
        process.end();
      },
    };
  }

  async stop(limitMs: number): Promise<void> {
    await this.stopSdk?.(limitMs);
  }
}

function beginSubmission(tracer: Tracer, parent: Context): SubmissionSpan {
  const attributes = { [traceAttribute.system]: OWN_SYSTEM, [traceAttribute.messageDestination]: OWN_DESTINATION, [traceAttribute.operation]: 'send', [traceAttribute.operationType]: 'send' };
  const span = tracer.startSpan(`send ${OWN_DESTINATION}`, { kind: SpanKind.PRODUCER, attributes }, parent);
  return {
    traceparent: span.isRecording() ? printed(span.spanContext()) : undefined,
    end: (tasks, failure) => {
      if (typeof tasks === 'string') span.setAttribute(traceAttribute.messageId, tasks);
      else if (tasks !== undefined) span.setAttribute(traceAttribute.batchSize, tasks);
      if (failure !== undefined) fail(span, failure);
      span.end();
    },
  };
}

function processAttributes({ taskId, clientId, run, phase, attempt, endpoint, messageBytes }: TracedAttempt): Attributes {
  return {
    [traceAttribute.system]: OWN_SYSTEM,
    [traceAttribute.messageDestination]: OWN_DESTINATION,
    [traceAttribute.operation]: 'process',
    [traceAttribute.operationType]: 'process',
    [traceAttribute.messageId]: taskId,
    [traceAttribute.messageBytes]: messageBytes,
    [traceAttribute.clientId]: clientId,
    [traceAttribute.run]: run,
    [traceAttribute.phase]: phase,
    [traceAttribute.attempt]: attempt,
    [traceAttribute.destination]: endpoint,
  };
}

function sendSpanOf({ isHttp, method, endpoint, host, attempt, taskId, messageBytes, submitted }: TracedAttempt): [name: string, options: { kind: SpanKind; attributes: Attributes }] {
  if (isHttp) {
    const { hostname, port, protocol } = new URL(endpoint);
    const attributes = {
      [traceAttribute.method]: method,
      [traceAttribute.url]: endpoint,
      [traceAttribute.serverAddress]: hostname,
      [traceAttribute.serverPort]: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      ...(attempt === 0 ? {} : { [traceAttribute.resends]: attempt }),
    };
    return [method, { kind: SpanKind.CLIENT, attributes }];
  }
  const name = endpoint.slice(host.length + 1);
  const attributes = {
    [traceAttribute.system]: endpoint.slice(0, endpoint.indexOf(':')),
    [traceAttribute.messageDestination]: name,
    [traceAttribute.operation]: 'send',
    [traceAttribute.operationType]: 'send',
    [traceAttribute.messageId]: taskId,
    [traceAttribute.messageBytes]: messageBytes,
    [traceAttribute.destination]: endpoint,
  };
  // By the conventions a span is a producer's only if its own context goes out with the message.
  return [`send ${name}`, { kind: submitted?.context === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT, attributes }];
}

function tell(span: Span, { errorCode, httpStatus, partition, offset }: SentFacts): void {
  if (httpStatus !== undefined) span.setAttribute(traceAttribute.status, httpStatus);
  if (partition !== undefined) span.setAttribute(traceAttribute.partition, String(partition));
  if (offset !== undefined) span.setAttribute(traceAttribute.kafkaOffset, Number(offset));
  if (errorCode !== undefined) fail(span, errorCode);
}

/** The text of a failure is left out: receivers quote what they were sent. */
function fail(span: Span, code: string): void {
  span.setAttribute(traceAttribute.error, code);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function linksTo(submitted: SubmittedTrace | undefined): Link[] {
  if (submitted === undefined) return [];
  const links: Link[] = [];
  if (submitted.context !== undefined) links.push({ context: remote(submitted.context.traceparent) });
  if (submitted.span !== undefined) links.push({ context: remote(submitted.span) });
  return links;
}

function contextOf(parent: TraceContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote(parent.traceparent));
}

function remote(traceparent: string): SpanContext {
  const { traceId, spanId, isSampled } = spanOf({ traceparent });
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

function printed({ traceId, spanId, traceFlags }: SpanContext): string {
  return traceparentOf({ traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
}
