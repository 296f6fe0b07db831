/**
 * Every name of an attribute of our spans, by the semantic conventions of OpenTelemetry (HTTP 1.23 and later, messaging of 1.30), and our own.
 * Only this file spells them.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
export const traceAttribute = {
  method: 'http.request.method',
  /** Number of the attempt. The conventions leave it out for the first one. */
  resends: 'http.request.resend_count',
  status: 'http.response.status_code',
  route: 'http.route',
  /** Without user, query and the secret segments of the path. */
  url: 'url.full',
  path: 'url.path',
  scheme: 'url.scheme',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  /** A code of errors.ts, or the status of an answer of the API. */
  error: 'error.type',

  system: 'messaging.system',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  messageDestination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  messageBytes: 'messaging.message.body.size',
  batchSize: 'messaging.batch.message_count',
  partition: 'messaging.destination.partition.id',
  kafkaOffset: 'messaging.kafka.offset',

  clientId: 'kafka_retry.client_id',
  run: 'kafka_retry.run',
  phase: 'kafka_retry.phase',
  attempt: 'kafka_retry.attempt',
  outcome: 'kafka_retry.outcome',
  destination: 'kafka_retry.destination',
  role: 'kafka_retry.role',
} as const;

/** This service, as a messaging system: tasks are handed to it, and it hands them on. */
export const OWN_SYSTEM = 'kafka_retry_service';
export const OWN_DESTINATION = 'tasks';
