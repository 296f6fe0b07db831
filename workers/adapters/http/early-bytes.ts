import type { Socket } from 'node:net';

import { oneLine } from './one-line.js';
import { UnreadableAnswer } from './unreadable-answer.js';

const nothingButEmptyLines = /^[\r\n]*$/;

/**
 * Looks at the network once between the making of a connection and the first request over it. What has come by then is an
 * answer to nothing, and a client must not take it for one (RFC 9112, 9.2). Empty lines alone do no harm.
 *
 * What the receiver sends a moment later crosses the request and cannot be told from an answer to it. Therefore the look
 * comes after a millisecond: a receiver on the same machine that speaks first has spoken by then.
 *
 * @param done  gets null when the connection may be used
 */
export function lookForEarlyBytes(socket: Socket, done: (error: Error | null) => void): void {
  // Immediates run after the sockets have been read, in the same round of the event loop.
  setTimeout(() => setImmediate(() => { done(reasonNotToUse(socket)); }), 1);
}

function reasonNotToUse(socket: Socket): Error | null {
  const early: unknown = socket.read();
  if (Buffer.isBuffer(early)) {
    const text = early.toString('latin1');
    if (!nothingButEmptyLines.test(text)) return new UnreadableAnswer(`The receiver spoke before it had the request: "${firstLine(text)}"`);
  }
  if (socket.errored !== null) return socket.errored;
  return socket.destroyed || socket.readableEnded ? new EndedEarly() : null;
}

/** undici would connect again and again, without end, after an error of its own. */
class EndedEarly extends Error {
  override readonly name = 'EndedEarly';
  readonly code = 'ECONNRESET';

  constructor() {
    super('the receiver closed the connection before the request was sent');
  }
}

function firstLine(text: string): string {
  return oneLine(text.slice(0, 200).trimStart().split('\n', 1)[0] ?? '', 80);
}
