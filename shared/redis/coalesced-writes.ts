import type { Duplex } from 'node:stream';

/** One connection of ioredis, as far as it is needed here. */
interface Connection {
  readonly stream: Duplex;
  on(event: 'connect', listener: () => void): unknown;
}

/**
 * Commands of one turn of the event loop leave in one write. ioredis makes a system call for each of them, which was the
 * dearest part of a delivery; Redis reads what comes together in one go, too. Nothing waits longer than that turn.
 */
export function coalesceWrites(redis: Connection): void {
  redis.on('connect', () => {
    // A new one after each reconnect.
    const { stream } = redis;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = (...args: unknown[]): boolean => {
      if (stream.writableCorked === 0) {
        stream.cork();
        setImmediate(() => stream.uncork());
      }
      return write(...args);
    };
  });
}
