import { Writable } from 'node:stream';

const FLUSH_AFTER_MS = 20;
const FLUSH_AT_CHARACTERS = 32_768;

/**
 * Collects lines and hands them on in one write: a write call for every attempt costs more than the rest of its log
 * line. At most 20 ms of lines are waiting; flush() writes them, also from an exit handler, because writes to files,
 * terminals and pipes are synchronous on POSIX systems.
 */
export class BufferedStream extends Writable {
  #lines = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly target: { write(text: string): unknown }) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.append(typeof chunk === 'string' ? chunk : chunk.toString());
    done();
  }

  /** Writes without the work that a stream does for its listeners. */
  append(text: string): void {
    this.#lines += text;
    if (this.#lines.length >= FLUSH_AT_CHARACTERS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.target.write(lines);
  }
}
