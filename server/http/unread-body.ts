import type { IncomingMessage, ServerResponse } from 'node:http';

/** A body of at most this size is read to its end though nothing is done with it, so that its connection can be used again. */
const READ_TO_THE_END_BYTES = 65_536;
/** After the answer, so much of a larger one is taken off the connection and dropped. */
const DROPPED_BYTES = 4 * 1_048_576;
/** The client has this long to read the answer, once the last byte of it is in the hands of the system. */
const TIME_FOR_ANSWER_MS = 10_000;

/**
 * Called before the headers of an answer are sent. If a body is still to come that is not worth waiting for, the answer
 * becomes the last one of its connection (RFC 9110, 15.5.14).
 *
 * Node would close the connection as soon as the answer is sent. The system then answers what the client still sends
 * with a reset, which can take the answer from it (RFC 9112, 9.6). So a part of the body is read and dropped first, and
 * then nothing more is read.
 */
export function endBehindUnreadBody(request: IncomingMessage, response: ServerResponse): void {
  if (!hasUnreadBody(request)) return;
  response.setHeader('Connection', 'close');
  const { socket } = request;
  const endSoon = socket.destroySoon.bind(socket);
  let timer: NodeJS.Timeout | undefined;
  // Node calls it when the answer is sent.
  socket.destroySoon = () => {
    socket.end();
    timer = setTimeout(() => socket.destroy(), TIME_FOR_ANSWER_MS);
  };
  socket.once('close', () => clearTimeout(timer));
  // Not earlier: a client that waits for a 100 would get one when its body is listened to.
  response.once('prefinish', () => {
    let bytesLeft = DROPPED_BYTES;
    request.on('data', (chunk: Buffer) => {
      bytesLeft -= chunk.length;
      if (bytesLeft < 0) request.pause();
    });
    request.once('end', () => {
      socket.destroySoon = endSoon;
      if (response.writableFinished) endSoon();
    });
    request.resume();
  });
}

/** Going by its headers, the request has a body of at least one byte, or one in chunks. */
export function hasContent({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? '0') > 0;
}

function hasUnreadBody(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const { 'content-length': length = '0', 'transfer-encoding': encoding, expect } = request.headers;
  if (encoding !== undefined) return true;
  // A client that was not told to send the body may leave it out. The next request would then be taken for the body.
  return Number(length) > (expect === undefined ? READ_TO_THE_END_BYTES : 0);
}
