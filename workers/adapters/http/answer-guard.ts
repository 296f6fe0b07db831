import type { Socket } from 'node:net';

import { AnswerHead } from './answer-head.js';
import { mostAnswerBytes } from './answer-limits.js';
import { UnreadableAnswer } from './unreadable-answer.js';

/**
 * Stands between a connection and undici's parser, where undici reads and writes, since undici has no option for it. It
 * counts the bytes of each answer, drops the connection when there are too many, and lets AnswerHead prepare the head.
 */
export class AnswerGuard {
  readonly head = new AnswerHead();
  /** Requests that were written to this connection so far. */
  requests = 0;
  /** Bytes that have come since the latest request was written. */
  bytesRead = 0;
  /** When the latest request was written, by performance.now(). */
  writtenAtMs = 0;

  /** @param onWrite  is called before each write to the connection; true: it is the first one of a request */
  constructor(
    readonly socket: Socket,
    private readonly onWrite: (guard: AnswerGuard) => boolean,
  ) {
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean; // its overloads, taken as one
    const read = socket.read.bind(socket) as (size?: number) => Buffer | null; // no encoding is ever set
    this.head.close();

    socket.write = (...args: unknown[]) => {
      if (this.onWrite(this)) this.begin();
      return write(...args);
    };
    socket.read = (size?: number) => {
      for (let piece = read(size); piece !== null; piece = read(size)) {
        const parsed = this.take(piece);
        if (parsed === undefined) break;
        if (parsed.length > 0) return parsed;
      }
      // A piece that was too long was cut. What had room has been parsed by now.
      if (this.bytesRead > mostAnswerBytes) this.refuse(`${mostAnswerBytes / 1024} KiB came without the status line of a final answer`);
      return null;
    };
  }

  private begin(): void {
    this.requests += 1;
    this.bytesRead = 0;
    this.writtenAtMs = performance.now();
    this.head.reset();
  }

  /** @returns undefined when the connection has to be given up */
  private take(piece: Buffer): Buffer | undefined {
    const room = mostAnswerBytes - this.bytesRead;
    this.bytesRead += piece.length;
    if (room <= 0) return undefined;
    const parsed = this.head.push(piece.length <= room ? piece : piece.subarray(0, room));
    if (this.head.fault === undefined) return parsed;
    this.refuse(this.head.fault);
    return undefined;
  }

  private refuse(why: string): void {
    this.socket.destroy(new UnreadableAnswer(why));
  }
}
