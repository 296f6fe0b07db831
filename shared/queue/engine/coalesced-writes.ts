import type { Duplex } from 'node:stream';
import { isCluster, type RedisClient } from '../../redis/redis-connection.js';
import { EngineMismatchError } from './engine-mismatch.js';

/** The parts of an ioredis connection that are needed here. */
interface Connection {
  readonly stream?: Duplex;
  on(event: 'connect', listener: () => void): unknown;
}

const coalescing = new WeakSet();

/**
 * Commands of one turn of the event loop leave in one write. ioredis makes a system call for each of them, which was the
 * most expensive part of a delivery. Redis also reads commands that arrive together in one go. No command waits longer
 * than that turn. A second call for the same connection does nothing.
 */
export function coalesceWrites(redis: RedisClient): void {
  if (!isCluster(redis)) {
    coalesceWritesOf(redis);
    return;
  }
  if (coalescing.has(redis)) return;
  coalescing.add(redis);
  for (const node of redis.nodes()) coalesceWritesOf(node);
  redis.on('+node', coalesceWritesOf);
}

function coalesceWritesOf(connection: Connection): void {
  if (coalescing.has(connection)) return;
  coalescing.add(connection);
  // A stream that exists already belongs to a connection made before. Each reconnect makes a new stream.
  if (connection.stream !== undefined) coalesce(connection.stream);
  connection.on('connect', () => coalesce(streamOf(connection)));
}

function coalesce(stream: Duplex): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (...args: unknown[]): boolean => {
    if (stream.writableCorked === 0) {
      stream.cork();
      setImmediate(() => stream.uncork());
    }
    return write(...args);
  };
}

function streamOf({ stream }: Connection): Duplex {
  if (stream === undefined) throw new EngineMismatchError(["ioredis: expected a 'stream' on each connection, found none"]);
  return stream;
}
