/** One line of a file or of standard input that is not empty. */
export interface Line {
  /** From 1; empty lines count. */
  readonly number: number;
  /** Without its end; undefined: it cannot be read, `fault` says why. */
  readonly text: string | undefined;
  readonly fault: string | undefined;
}

/** The service takes no batch above 32 MiB. What is longer is passed over and named. */
const MAX_LINE_BYTES = 16 * 1_048_576;
const LINE_FEED = 10;

/**
 * Cuts bytes into lines, however they come: a character may be cut by the end of a chunk, a line may come in many of them. `\n` and
 * `\r\n` end a line, the last one needs none, and a byte order mark at the beginning is left out. At most one line is held in memory.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array | string>, maxBytes: number = MAX_LINE_BYTES): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  const line = (): Line | undefined => {
    number += 1;
    const found = bytes > maxBytes ? { number, text: undefined, fault: `the line has more than ${maxBytes} bytes` } : decoded(number, pieces);
    [pieces, bytes] = [[], 0];
    return found;
  };
  const add = (piece: Uint8Array): void => {
    bytes += piece.length;
    // What is too long is counted, and not kept.
    if (bytes <= maxBytes) pieces.push(piece);
    else pieces = [];
  };
  for await (const chunk of chunks) {
    const whole = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    let from = 0;
    for (let end = whole.indexOf(LINE_FEED); end !== -1; end = whole.indexOf(LINE_FEED, from)) {
      add(whole.subarray(from, end));
      const found = line();
      if (found !== undefined) yield found;
      from = end + 1;
    }
    // A copy: the stream may use its memory again.
    if (from < whole.length) add(whole.slice(from));
  }
  if (bytes > 0) {
    const last = line();
    if (last !== undefined) yield last;
  }
}

function decoded(number: number, pieces: readonly Uint8Array[]): Line | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: number !== 1 }).decode(Buffer.concat(pieces)).replace(/\r$/, '');
    return text.trim() === '' ? undefined : { number, text, fault: undefined };
  } catch {
    return { number, text: undefined, fault: 'the line is not valid UTF-8' };
  }
}
