import type { IncomingMessage } from 'node:http';
import type { RequestError } from '../../shared/domain/errors.js';
import type { HeldBytes } from '../http/body-budget.js';
import { BodyBytes } from '../http/body-bytes.js';
import { bodyTooLarge, cutOff, overloaded } from '../http/json-body.js';
import { isSpace, taskTooLarge } from './batch-array.js';

const NEW_LINE = 0x0a;
/** More lines of one chunk come in a second portion, so that the first ones are handled before the rest is looked at. */
const LINES_AT_ONCE = 500;

export interface LineLimits {
  /** A longer line is skipped, and a refusal takes its place. */
  readonly maxLineBytes: number;
  /** Of the whole body. */
  readonly maxBytes: number;
  /** The bytes of a line are taken from it. The caller gives them back when it has handled the line. */
  readonly held: HeldBytes;
  /** Resolves when the caller has handled all lines that it has got. */
  readonly whenHandled: () => Promise<void>;
}

/** Lines that a chunk of the body has completed, and where they stand in it, by the same index. */
export interface LinePart {
  readonly texts: readonly (Buffer | RequestError)[];
  /** Numbers of the lines in the body, from 1; empty lines count, too. */
  readonly lines: readonly number[];
  /** Columns of their first bytes, from 1. */
  readonly columns: readonly number[];
}

/**
 * Reads a body line by line while it arrives. While the caller asks for no more lines, nothing more is read off the
 * socket. At most one line of the largest size and one chunk are in memory. When there is no room for a line, those
 * before it are waited for; if that does not help, a refusal takes its place.
 *
 * @returns lines without empty ones and white space in front
 * @throws RequestError too_large behind the last whole line of the first `maxBytes`; invalid_request when the client
 *         goes away in the middle: what came of the last line is then not among the lines
 */
export async function* readLines(request: IncomingMessage, { maxLineBytes, maxBytes, held, whenHandled }: LineLimits): AsyncGenerator<LinePart> {
  const line = new LineBuffer(maxLineBytes, held);
  const place = new LinePlace();
  let bytesLeft = maxBytes;
  // Destroying the request would take its socket, and the answer with it.
  for await (const chunk of chunksOf(request)) {
    const part = chunk.subarray(0, bytesLeft);
    bytesLeft -= part.length;
    let lines = new Lines();
    for (let from = line.isEmpty ? place.skipSpaces(part, 0) : 0; from < part.length; ) {
      const end = part.indexOf(NEW_LINE, from);
      const piece = part.subarray(from, end < 0 ? part.length : end);
      if (!line.add(piece)) {
        if (lines.texts.length > 0) yield lines;
        lines = new Lines();
        await whenHandled();
        if (!line.add(piece)) line.refuse(overloaded());
      }
      if (end < 0) break;
      lines.push(line.take(), place);
      if (lines.texts.length === LINES_AT_ONCE) {
        yield lines;
        lines = new Lines();
      }
      from = place.skipSpaces(part, end);
    }
    if (lines.texts.length > 0) yield lines;
    if (part.length < chunk.length) throw bodyTooLarge({ maxBytes, limit: 'MAX_BATCH_BYTES' });
  }
  if (!line.isEmpty) yield { texts: [line.take()], lines: [place.line], columns: [place.column] };
}

class Lines implements LinePart {
  readonly texts: (Buffer | RequestError)[] = [];
  readonly lines: number[] = [];
  readonly columns: number[] = [];

  push(text: Buffer | RequestError, { line, column }: LinePlace): void {
    this.texts.push(text);
    this.lines.push(line);
    this.columns.push(column);
  }
}

/** Where the line that is being read begins. */
class LinePlace {
  line = 1;
  column = 1;

  /**
   * Goes on to the next byte of a line. A body can consist of empty lines, so they are passed over as fast as a byte can be
   * looked at.
   */
  skipSpaces(part: Buffer, from: number): number {
    let at = from;
    for (; isSpace(part[at]); at += 1) {
      if (part[at] === NEW_LINE) {
        this.line += 1;
        this.column = 1;
      } else this.column += 1;
    }
    return at;
  }
}

/** One line in the making. */
class LineBuffer {
  readonly #kept = new BodyBytes();
  #bytes = 0;
  #refusal: RequestError | undefined;

  constructor(
    private readonly maxBytes: number,
    private readonly held: HeldBytes,
  ) {}

  get isEmpty(): boolean {
    return this.#bytes === 0 && this.#refusal === undefined;
  }

  /** @returns false when there is no room for the part, which then was not added */
  add(part: Buffer): boolean {
    if (this.#refusal !== undefined) return true;
    if (this.#bytes + part.length > this.maxBytes) {
      this.refuse(taskTooLarge('line', this.maxBytes));
      return true;
    }
    if (!this.held.take(part.length)) return false;
    this.#bytes += part.length;
    this.#kept.add(part);
    return true;
  }

  /** Drops what came of the line, and what is still to come of it. */
  refuse(refusal: RequestError): void {
    this.#refusal = refusal;
    this.#kept.take();
    this.held.giveBack(this.#bytes);
    this.#bytes = 0;
  }

  /** Returns the line as it is now, and begins the next one. */
  take(): Buffer | RequestError {
    const line = this.#refusal ?? this.#kept.take();
    this.#refusal = undefined;
    this.#bytes = 0;
    return line;
  }
}

async function* chunksOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    // A request without an encoding yields Buffers.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } catch (cause) {
    throw cutOff(cause);
  }
}
