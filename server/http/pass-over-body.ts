import type { IncomingMessage } from 'node:http';

/**
 * The rest of a body is taken off the connection, so that a client that is still sending it comes to read the answer. A
 * larger rest than this, or one that takes longer, ends the connection: an answer was given, and the rest is of no use.
 */
const MAX_REST_BYTES = 16 * 1_048_576;
const MAX_REST_MS = 10_000;

/** Call it when a request was answered before its body has come whole. Node would read the body without a limit. */
export function passOverBody(request: IncomingMessage): void {
  const { socket } = request;
  if (socket.destroyed) return;
  let bytesLeft = MAX_REST_BYTES;
  const giveUp = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(giveUp, MAX_REST_MS).unref();
  const done = (): void => clearTimeout(timer);
  request.on('data', (chunk: Buffer) => {
    bytesLeft -= chunk.length;
    if (bytesLeft < 0) giveUp();
  });
  request.once('end', done).once('close', done);
}
