import type { KafkaDestination } from '../domain/destinations/kafka.js';
import type { DeliveryAttempt } from '../domain/ports.js';
import { nameTrace, type TraceContext } from '../domain/trace-context.js';

/** One attempt as Kafka will store it. */
export interface TopicMessage {
  readonly key: Buffer;
  /** The client chose the key, and with it the partition. */
  readonly isKeyed: boolean;
  readonly value: Buffer;
  /** Sent as UTF-8. */
  readonly headers: Readonly<Record<string, string>>;
  /** Key, value, and names and values of the headers, in bytes: what the batch rule counts. */
  readonly bytes: number;
}

/**
 * Value = body; key = the destination's own or `<id>|<attempt>`; headers = our provenance, and the destination's own but
 * for those named `x-retry-...`, so that it cannot be faked: a client that hands over what it once got from here sends
 * the old headers along. The trace of the submission comes last, if the destination has none.
 */
export function toTopicMessage(attempt: DeliveryAttempt, destination: KafkaDestination): TopicMessage {
  const key = Buffer.from(destination.key ?? attempt.key, 'utf8');
  const value = Buffer.from(attempt.body, 'utf8');
  const ours = destination.headers === undefined ? attempt.headers : { ...withoutOurs(destination.headers), ...attempt.headers };
  const headers = attempt.trace === undefined || nameTrace(Object.keys(ours)) ? ours : { ...ours, ...traceHeadersOf(attempt.trace) };
  let bytes = key.length + value.length;
  for (const name in headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '');
  return { key, isKeyed: destination.key !== undefined, value, headers, bytes };
}

function traceHeadersOf({ traceparent, tracestate }: TraceContext): Record<string, string> {
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

function withoutOurs(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^x-retry-/i.test(name)));
}
