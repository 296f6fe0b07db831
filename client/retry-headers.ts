/** What a receiver is told about a message: the headers `x-retry-...` of docs/DELIVERY.md. */
export interface RetryHeaders {
  readonly taskId: string;
  /** 1 for the first life of the task; one more with each redrive or new submission. */
  readonly run: number;
  /** How often the task was edited; 0 when it never was. */
  readonly edit: number;
  /** 0 for the first send. */
  readonly attempt: number;
  readonly maxRetries: number | undefined;
  readonly source: string | undefined;
  readonly clientId: string | undefined;
  /** Of a dead letter alone. */
  readonly dead:
    | {
        readonly reason: string;
        readonly error: string | undefined;
        readonly firstFailedAt: string | undefined;
        readonly lastFailedAt: string | undefined;
        readonly originalDestination: string | undefined;
      }
    | undefined;
}

type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>> | { get(name: string): string | null };

type KafkaHeaderValue = Uint8Array | string | undefined;
type KafkaHeaders = Readonly<Record<string, KafkaHeaderValue | readonly KafkaHeaderValue[]>>;

/**
 * Of an HTTP request: the `headers` of Node's `request`, or the Headers of a `Request`. Both hold each byte as one character, and
 * the service sends UTF-8.
 * @returns undefined when the request is not one of this service
 */
export function readHttpHeaders(headers: HttpHeaders): RetryHeaders | undefined {
  return read((name) => {
    const value = isWebHeaders(headers) ? headers.get(name) : headers[name];
    const text = typeof value === 'string' ? value : value?.[0];
    return text === undefined ? undefined : utf8(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  });
}

/**
 * Of a Kafka record: the `headers` of a message as kafkajs, node-rdkafka and others give them, with values as bytes or texts.
 * @returns undefined when the record is not one of this service
 */
export function readKafkaHeaders(headers: KafkaHeaders | undefined): RetryHeaders | undefined {
  return read((name) => {
    const value = headers?.[name];
    // Of several values the first counts: the service writes one.
    const one: KafkaHeaderValue = isList(value) ? value[0] : value;
    return one === undefined || typeof one === 'string' ? one : utf8(one);
  });
}

function read(valueOf: (name: string) => string | undefined): RetryHeaders | undefined {
  const taskId = valueOf('x-retry-task-id');
  if (taskId === undefined) return undefined;
  const reason = valueOf('x-retry-dead-reason');
  return {
    taskId,
    run: numberOf(valueOf('x-retry-run')) ?? 1,
    edit: numberOf(valueOf('x-retry-edit')) ?? 0,
    attempt: numberOf(valueOf('x-retry-attempt')) ?? 0,
    maxRetries: numberOf(valueOf('x-retry-max-retries')),
    source: valueOf('x-retry-source'),
    clientId: valueOf('x-retry-client-id'),
    dead:
      reason === undefined
        ? undefined
        : {
            reason,
            error: valueOf('x-retry-error'),
            firstFailedAt: valueOf('x-retry-first-failed-at'),
            lastFailedAt: valueOf('x-retry-last-failed-at'),
            originalDestination: valueOf('x-retry-original-destination'),
          },
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function isWebHeaders(headers: HttpHeaders): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

function isList(value: KafkaHeaderValue | readonly KafkaHeaderValue[]): value is readonly KafkaHeaderValue[] {
  return Array.isArray(value);
}
