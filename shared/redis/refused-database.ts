import { Redis } from 'ioredis';
import { redisErrorCode } from './redis-error.js';

/** The parts of a connection that are needed here. */
interface SelectingConnection {
  /** While it connects, before it is ready. Each connection has one of its own. */
  readonly condition?: { readonly handshake?: boolean; readonly protocol?: number } | undefined;
  recoverFromFatalError(error: unknown, cause: unknown): void;
}

type Step = (this: SelectingConnection, ...args: unknown[]) => Promise<unknown>;
interface Steps {
  hello: Step;
  select: Step;
}

/**
 * Ends a connection whose database (REDIS_DB) is refused. ioredis 6.0 emits the error, goes on to `ready`, and never asks for the database
 * again: everything is written to database 0 then, under the names of another deployment. A refused login ends the connection, so a
 * refused database is treated in the same way: it connects again later, as RedisAccess tells.
 *
 * ioredis sends HELLO, which logs in, and SELECT at once. Where there is no HELLO it then begins anew with AUTH: only what is answered
 * behind that counts.
 *
 * It is done to the prototype, because BullMQ makes connections by itself. Calling it twice does nothing more.
 *
 * @returns whether it is in force. false: this ioredis is another one than was patched, and is left alone
 */
export function endOnRefusedDatabase(): boolean {
  const connection: unknown = Redis.prototype;
  if (!isSelecting(connection)) return false;
  if (isPatched.has(connection)) return true;
  isPatched.add(connection);
  const { hello, select } = connection;
  /** The conditions of connections to a server without HELLO, or without the protocol that was asked for. */
  const withoutHello = new WeakSet();
  connection.hello = function (this: SelectingConnection, ...args: unknown[]): Promise<unknown> {
    const { condition } = this;
    const answer = hello.apply(this, args);
    // It is answered before SELECT is, which was sent after it.
    answer.catch((error: unknown) => {
      if (condition !== undefined && beginsAnew(error)) withoutHello.add(condition);
    });
    return answer;
  };
  connection.select = function (this: SelectingConnection, ...args: unknown[]): Promise<unknown> {
    const { condition } = this;
    const answer = select.apply(this, args);
    if (condition?.handshake !== true) return answer;
    // The second time it asks by the older protocol, and SELECT counts.
    const isFirstTry = condition.protocol === 3;
    return answer.catch((error: unknown) => {
      const code = redisErrorCode(error);
      // It was closed meanwhile, and may have been made anew. Who is not logged in is refused by HELLO, AUTH or the ready check, too.
      if (code === undefined || code === 'NOAUTH' || (isFirstTry && withoutHello.has(condition))) throw error;
      this.recoverFromFatalError(error, error);
      // The handshake must not go on. The next connection has one of its own.
      return new Promise(() => undefined);
    });
  };
  return true;
}

const isPatched = new WeakSet();

/** As ioredis decides it. */
function beginsAnew(error: unknown): boolean {
  const text = error instanceof Error ? error.message.toUpperCase() : '';
  return text.includes('NOPROTO') || (text.includes('UNKNOWN COMMAND') && text.includes('HELLO'));
}

function isSelecting(prototype: unknown): prototype is Steps & SelectingConnection {
  return typeof prototype === 'object' && prototype !== null && ['hello', 'select', 'recoverFromFatalError'].every((method) => typeof (prototype as Record<string, unknown>)[method] === 'function');
}
