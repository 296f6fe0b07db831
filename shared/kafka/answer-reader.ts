import { NoKafkaBroker } from './no-kafka-broker.js';

/**
 * Reads the fields of one answer in their order. It never looks behind the end, and it believes a count or a length only
 * when the bytes for it are there: kafkajs makes an array of whatever count it reads, 2^31 included.
 *
 * @throws NoKafkaBroker from every method that finds less than was announced
 */
export class AnswerReader {
  #at = 0;

  /** @param bytes one answer, without its length and correlation id */
  constructor(private readonly bytes: Buffer) {}

  /** The place of the next field, in bytes from the start. */
  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.bytes.length - this.#at;
  }

  skip(bytes: number): void {
    if (bytes > this.left) throw new NoKafkaBroker('an answer ends too early');
    this.#at += bytes;
  }

  int16(): number {
    this.skip(2);
    return this.bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.skip(4);
    return this.bytes.readInt32BE(this.#at - 4);
  }

  /** 64 bits; exact up to 2^53. */
  int64(): number {
    this.skip(8);
    return Number(this.bytes.readBigInt64BE(this.#at - 8));
  }

  /** @returns the bytes of the text; 0 for null, which many fields may be */
  skipString(): number {
    const length = this.int16();
    return this.#skipLength(length);
  }

  /** @returns '' for null */
  text(): string {
    const length = this.skipString();
    return this.bytes.toString('utf8', this.#at - length, this.#at);
  }

  /** A field of bytes, or null. */
  skipBytes(): void {
    this.#skipLength(this.int32());
  }

  /**
   * The number of elements of an array, 0 for null.
   * @param leastBytes of one element, >= 1
   */
  count(leastBytes: number): number {
    const count = this.int32();
    if (count < -1) throw new NoKafkaBroker('a list has a negative length');
    if (count * leastBytes > this.left) throw new NoKafkaBroker('a list is announced to be longer than its answer');
    return Math.max(count, 0);
  }

  #skipLength(length: number): number {
    if (length < -1) throw new NoKafkaBroker('a text has a negative length');
    const bytes = Math.max(length, 0);
    this.skip(bytes);
    return bytes;
  }
}
