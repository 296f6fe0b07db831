import { Redis } from 'ioredis';
import { redisErrorCode } from './redis-error.js';

/** The parts of a connection that are needed here. */
interface SelectingConnection {
  /** While it connects, before it is ready. */
  readonly condition?: { readonly handshake?: boolean } | undefined;
  recoverFromFatalError(error: unknown, cause: unknown): void;
}

type Select = (this: SelectingConnection, ...args: unknown[]) => Promise<unknown>;

/**
 * Ends a connection whose database (REDIS_DB) is refused. ioredis 6.0 emits the error, goes on to `ready`, and never asks for the database
 * again: everything is written to database 0 then, under the names of another deployment. A refused login ends the connection, so a
 * refused database is treated in the same way: it connects again later, as RedisAccess tells.
 *
 * It is done to the prototype, because BullMQ makes connections by itself. Calling it twice does nothing more.
 *
 * @returns whether it is in force. false: this ioredis is another one than was patched, and is left alone
 */
export function endOnRefusedDatabase(): boolean {
  const connection: unknown = Redis.prototype;
  if (!isSelecting(connection)) return false;
  const select = patched.get(connection) ?? connection.select;
  patched.set(connection, select);
  connection.select = function (this: SelectingConnection, ...args: unknown[]): Promise<unknown> {
    const isOfHandshake = this.condition?.handshake === true;
    const answer = select.apply(this, args);
    if (!isOfHandshake) return answer;
    return answer.catch((error: unknown) => {
      // It was closed meanwhile, and may have been made anew.
      if (redisErrorCode(error) === undefined) throw error;
      this.recoverFromFatalError(error, error);
      // The handshake must not go on. The next connection has one of its own.
      return new Promise(() => undefined);
    });
  };
  return true;
}

/** What ioredis itself does. */
const patched = new WeakMap<object, Select>();

function isSelecting(prototype: unknown): prototype is { select: Select } & SelectingConnection {
  return typeof prototype === 'object' && prototype !== null && ['select', 'recoverFromFatalError'].every((method) => typeof (prototype as Record<string, unknown>)[method] === 'function');
}
