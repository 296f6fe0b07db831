import type { Socket } from 'node:net';

/** `HTTP/1.1 100 Continue`, whatever headers it has, up to its empty line. */
const unaskedContinue = /^HTTP\/1\.[01] 100\b[^]*?\r?\n\r?\n/;

/**
 * Takes a `100 Continue` off the head of an answer. We never ask for one, but old servers send it to every POST,
 * and RFC 9110 (15.2) wants it skipped. undici 7.30 skips all other 1xx, but drops the connection at this one: the
 * receiver would have got the message, and would get it again with every retry.
 *
 * It is done where undici reads, since undici has no option for it. Only the first bytes after a request are looked at,
 * never a body. A 100 that comes in two pieces is left to undici, and fails as connection_reset.
 */
export function skipUnaskedContinue(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean; // its overloads, taken as one
  const read = socket.read.bind(socket) as (size?: number) => unknown; // a Buffer or null: no encoding is ever set
  let atHead = false;

  socket.write = (...args: unknown[]) => {
    atHead = true;
    return write(...args);
  };
  socket.read = (size?: number) => {
    let chunk = read(size);
    while (atHead && chunk instanceof Buffer) {
      // Byte 9 is the first digit of the status. For nearly every answer this one look is enough.
      const skipped = chunk[9] === 0x31 ? unaskedContinue.exec(chunk.toString('latin1'))?.[0].length ?? 0 : 0;
      if (skipped === 0) atHead = false;
      else chunk = skipped < chunk.length ? chunk.subarray(skipped) : read();
    }
    return chunk;
  };
}
