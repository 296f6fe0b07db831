import type { Duplex } from 'node:stream';
import { Command, Redis } from 'ioredis';
import { judgeTimeLimit } from '../lifecycle/time-limit.js';

/** The parts of a command that are needed here. ioredis gives the timer back by this property when the command settles. */
interface TimedCommand {
  readonly isSettled: boolean;
  readonly reject: (error: Error) => void;
  _commandTimeoutTimer?: NodeJS.Timeout | undefined;
}

/** The parts of a connection that are needed here. ioredis clears the timer by this property when its stream closes. */
interface TimedConnection {
  readonly stream: Duplex;
  readonly options: { readonly socketTimeout?: number };
  readonly commandQueue: { readonly length: number };
  socketTimeoutTimer?: NodeJS.Timeout | undefined;
}

/**
 * Makes the time limits of ioredis look at the socket once more before they judge. ioredis rejects commands
 * (commandTimeout), and gives up the connection (socketTimeout), as soon as the timer fires. After a long turn of ours that
 * was an outage of Redis for all callers, with answers that had been in the socket all the time: 503 for up to 9 s.
 *
 * It is done to the prototypes, because ioredis makes the connections of a cluster, and BullMQ those that block, by
 * themselves. Calling it twice does nothing more.
 *
 * @returns whether it is in force. false: this ioredis is another one than was patched, and is left alone
 */
export function patchIoredisTimeLimits(): boolean {
  const command: unknown = Command.prototype;
  const connection: unknown = Redis.prototype;
  if (!has(command, 'setTimeout') || !has(command, '_clearTimers') || !has(connection, 'setSocketTimeout')) return false;
  command['setTimeout'] = function (this: TimedCommand, ms: number): void {
    if (this._commandTimeoutTimer === undefined) limitCommand(this, ms, 0);
  };
  connection['setSocketTimeout'] = function (this: TimedConnection): void {
    limitSilence(this);
  };
  return true;
}

function limitCommand(command: TimedCommand, ms: number, extensions: number): void {
  const dueAt = performance.now() + ms;
  command._commandTimeoutTimer = setTimeout(() => {
    judgeTimeLimit(dueAt, extensions, {
      isStillMissing: () => !command.isSettled,
      extend: (extensionMs, extended) => limitCommand(command, extensionMs, extended),
      // redis-error.ts knows this text of ioredis.
      onOver: () => command.reject(new Error('Command timed out')),
    });
  }, ms);
}

function limitSilence(connection: TimedConnection): void {
  const { stream, options } = connection;
  const limitMs = options.socketTimeout ?? 0;
  const start = (ms: number, extensions: number): void => {
    const dueAt = performance.now() + ms;
    const timer = setTimeout(() => {
      judgeTimeLimit(dueAt, extensions, {
        // Data, or the end of the stream, has taken the timer away meanwhile.
        isStillMissing: () => connection.socketTimeoutTimer === timer,
        extend: start,
        onOver: () => {
          connection.socketTimeoutTimer = undefined;
          // redis-error.ts knows this text of ioredis.
          stream.destroy(new Error(`Socket timeout. Expecting data, but didn't receive any in ${limitMs}ms.`));
        },
      });
    }, ms);
    connection.socketTimeoutTimer = timer;
  };
  start(limitMs, 0);
  // ioredis' own listener for data runs before this one, so the queue holds only commands that are still unanswered.
  stream.once('data', () => {
    clearTimeout(connection.socketTimeoutTimer);
    connection.socketTimeoutTimer = undefined;
    if (connection.commandQueue.length > 0) limitSilence(connection);
  });
}

function has(prototype: unknown, method: string): prototype is Record<string, unknown> {
  return typeof prototype === 'object' && prototype !== null && method in prototype && typeof (prototype as Record<string, unknown>)[method] === 'function';
}
