import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import { BodyBytes } from '../http/body-bytes.js';
import { bodyTooLarge, cutOff } from '../http/json-body.js';
import { isSpace } from './batch-array.js';

const NEW_LINE = 0x0a;

/**
 * Reads a body line by line while it arrives. While the caller asks for no more lines, nothing more is read off the
 * socket. At most one line of the largest size and one chunk are in memory.
 *
 * @param maxLineBytes a longer line is skipped, and a refusal takes its place
 * @returns the lines that a chunk of the body has completed, without empty ones and white space
 * @throws RequestError too_large behind the last whole line of the first `maxBytes`; invalid_request when the client
 *         goes away in the middle: what came of the last line is then not among the lines
 */
export async function* readLines(request: IncomingMessage, maxLineBytes: number, maxBytes: number): AsyncGenerator<readonly (Buffer | RequestError)[]> {
  const line = new LineBuffer(maxLineBytes);
  let bytesLeft = maxBytes;
  // Destroying the request would take its socket, and the answer with it.
  for await (const chunk of chunksOf(request)) {
    const part = chunk.subarray(0, bytesLeft);
    bytesLeft -= part.length;
    const lines: (Buffer | RequestError)[] = [];
    let from = 0;
    for (let end = part.indexOf(NEW_LINE); end >= 0; end = part.indexOf(NEW_LINE, from)) {
      line.add(part.subarray(from, end));
      from = end + 1;
      const whole = line.take();
      if (whole !== undefined) lines.push(whole);
    }
    line.add(part.subarray(from));
    if (lines.length > 0) yield lines;
    if (part.length < chunk.length) throw bodyTooLarge(maxBytes);
  }
  const last = line.take();
  if (last !== undefined) yield [last];
}

/** One line in the making. */
class LineBuffer {
  readonly #kept = new BodyBytes();
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.maxBytes) this.#kept.take();
    else this.#kept.add(part);
  }

  /** Returns the line as it is now, unless it is empty, and begins the next one. */
  take(): Buffer | RequestError | undefined {
    const bytes = this.#bytes;
    if (bytes === 0) return undefined;
    const line = this.#kept.take();
    this.#bytes = 0;
    if (bytes > this.maxBytes) return new RequestError('too_large', `a line must not be larger than ${this.maxBytes} bytes`);
    return line.every(isSpace) ? undefined : line;
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
