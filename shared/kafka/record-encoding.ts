/** What kafkajs has when it encodes one message of a batch. */
export interface KafkaRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: unknown;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

const MAX_INT32 = 2 ** 31 - 1;

/**
 * One record of a batch in Kafka's message format 2: its length, attributes (none), time and number relative to the
 * batch, key, value, headers. Lengths and numbers are zigzag varints.
 *
 * @see https://kafka.apache.org/documentation/#record
 * @returns undefined for what a TopicMessage never is: no key or value, a header that is no text, a time in the past
 */
export function encodeRecord({ offsetDelta = 0, timestampDelta = 0, key, value, headers = {} }: KafkaRecord): Buffer | undefined {
  if (!Buffer.isBuffer(key) || !Buffer.isBuffer(value) || !isCount(timestampDelta) || !isCount(offsetDelta)) return undefined;
  const texts: string[] = [];
  let headerBytes = 0;
  for (const name of Object.keys(headers)) {
    const text = headers[name];
    if (typeof text !== 'string') return undefined;
    texts.push(name, text);
  }
  const lengths = texts.map((text) => Buffer.byteLength(text));
  for (const length of lengths) headerBytes += sizeOf(length) + length;
  const count = lengths.length / 2;
  const bodyBytes =
    1 + sizeOf(timestampDelta) + sizeOf(offsetDelta) + sizeOf(key.length) + key.length + sizeOf(value.length) + value.length + sizeOf(count) + headerBytes;
  const record = Buffer.allocUnsafe(sizeOf(bodyBytes) + bodyBytes);
  let at = write(record, bodyBytes, 0);
  record[at] = 0; // attributes: none are defined
  at = write(record, timestampDelta, at + 1);
  at = write(record, offsetDelta, at);
  at = write(record, key.length, at);
  at += key.copy(record, at);
  at = write(record, value.length, at);
  at += value.copy(record, at);
  at = write(record, count, at);
  for (let index = 0; index < texts.length; index += 1) {
    at = write(record, lengths[index] ?? 0, at);
    at += record.write(texts[index] ?? '', at);
  }
  return record;
}

/** 0..2^30: doubled by the zigzag it still is a number of 32 bits. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value * 2 <= MAX_INT32;
}

/** Bytes of a number >= 0 as a zigzag varint. */
function sizeOf(value: number): number {
  let rest = value * 2;
  let bytes = 1;
  while (rest > 127) {
    rest >>>= 7;
    bytes += 1;
  }
  return bytes;
}

/** @returns where to go on */
function write(buffer: Buffer, value: number, from: number): number {
  let rest = value * 2;
  let at = from;
  while (rest > 127) {
    buffer[at] = (rest & 127) | 128;
    rest >>>= 7;
    at += 1;
  }
  buffer[at] = rest;
  return at + 1;
}
