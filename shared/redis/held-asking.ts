import { Redis } from 'ioredis';

type Asking = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Makes a refused `ASKING` harmless. The client of a cluster sends it before a command whose key is on its way to another node, and nobody
 * holds its promise (ioredis 6.0): when that node was frozen or killed, or a user had no right to it, the rejection ended every process.
 * The command behind it is refused or sent elsewhere by itself, and its caller hears of that.
 *
 * It is done to the prototype, because ioredis makes the connections of a cluster, and BullMQ its clients, by themselves. Calling it twice
 * does nothing more.
 *
 * @returns whether it is in force. false: this ioredis is another one than was patched, and is left alone
 */
export function holdAsking(): boolean {
  const connection: unknown = Redis.prototype;
  if (!isAsking(connection)) return false;
  if (isPatched.has(connection)) return true;
  isPatched.add(connection);
  const { asking } = connection;
  connection.asking = function (this: unknown, ...args: unknown[]): unknown {
    const answer = asking.apply(this, args);
    if (answer instanceof Promise) answer.catch(() => undefined);
    return answer;
  };
  return true;
}

const isPatched = new WeakSet();

function isAsking(prototype: unknown): prototype is { asking: Asking } {
  return typeof prototype === 'object' && prototype !== null && 'asking' in prototype && typeof prototype.asking === 'function';
}
