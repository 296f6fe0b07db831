/** Lines are counted up to here, which takes a millisecond. Behind it a place is told by its byte. */
const MAX_COUNTED_BYTES = 1_048_576;
const NEW_LINE = 0x0a;

/**
 * Names places in a text as editors count: `line 3, column 14`, both from 1, columns in characters (code points). The places are
 * asked for in their order, because it counts on from the last one.
 */
export class TextPlaces {
  #offset = 0;
  #line: number;
  #column: number;

  /**
   * @param bytes valid UTF-8 up to each place that is asked for
   * @param start line and column of the first byte
   */
  constructor(
    private readonly bytes: Buffer,
    { line = 1, column = 1 }: { readonly line?: number | undefined; readonly column?: number | undefined } = {},
  ) {
    this.#line = line;
    this.#column = column;
  }

  /** @param offset of a byte, from 0, not below the last one. The length of the text is its end. */
  at(offset: number): string {
    if (offset > MAX_COUNTED_BYTES) return `byte ${offset + 1}`;
    for (let at = this.#offset; at < offset; at += 1) {
      const byte = this.bytes[at] ?? 0;
      if (byte === NEW_LINE) {
        this.#line += 1;
        this.#column = 1;
        // Every character has one byte that does not continue another.
      } else if ((byte & 0xc0) !== 0x80) this.#column += 1;
    }
    this.#offset = offset;
    return `line ${this.#line}, column ${this.#column}`;
  }
}
