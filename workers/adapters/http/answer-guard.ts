import type { Socket } from 'node:net';

import { AnswerHead } from './answer-head.js';
import { mostAnswerBytes } from './answer-limits.js';
import { UnreadableAnswer } from './unreadable-answer.js';

/** To copy a longer body costs more than to write it by itself. */
const mostJoinedBytes = 16_384;

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
  /** undici writes the head of a request and its body right behind it, and has the socket corked meanwhile. A small body goes out with it as one piece, which costs less than two. */
  private requestHead = '';

  /** @param onWrite  is called before each write to the connection; true: it is the first one of a request */
  constructor(
    readonly socket: Socket,
    private readonly onWrite: (guard: AnswerGuard) => boolean,
  ) {
    const write = socket.write.bind(socket) as (chunk: unknown, ...more: unknown[]) => boolean; // its overloads, taken as one
    const uncork = socket.uncork.bind(socket);
    const read = socket.read.bind(socket) as (size?: number) => Buffer | null; // no encoding is ever set
    this.head.close();

    socket.write = (chunk: unknown, ...more: unknown[]) => {
      if (this.onWrite(this)) {
        this.begin();
        if (typeof chunk === 'string' && more[0] === 'latin1' && socket.writableCorked > 0) {
          this.requestHead = chunk;
          return true;
        }
      }
      const head = this.requestHead;
      if (head === '') return write(chunk, ...more);
      this.requestHead = '';
      if (chunk instanceof Uint8Array && more.length === 0 && chunk.length <= mostJoinedBytes) return write(joined(head, chunk));
      write(head, 'latin1');
      return write(chunk, ...more);
    };
    socket.uncork = () => {
      const head = this.requestHead;
      this.requestHead = '';
      if (head !== '') write(head, 'latin1');
      uncork();
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

function joined(head: string, body: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(head.length + body.length);
  whole.write(head, 'latin1');
  whole.set(body, head.length);
  return whole;
}
