const NOTHING = Buffer.alloc(0);

/**
 * Bytes that come in pieces, in one Buffer that grows. A list of the pieces would weigh what the sender likes: a body
 * in HTTP chunks of one byte is a Buffer object for each byte, 6 MiB of them 2.4 GiB.
 */
export class BodyBytes {
  #buffer: Buffer = NOTHING;
  #length = 0;

  /** A first piece is not copied, and must not be changed any more: most bodies and lines come in one. */
  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) {
      this.#buffer = piece;
    } else {
      if (length > this.#buffer.length) this.#grow(length);
      piece.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  /** What came so far; it begins anew. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return bytes;
  }

  /** Never written into: a buffer that was given to us is full, so the next piece makes one of our own. */
  #grow(length: number): void {
    const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
