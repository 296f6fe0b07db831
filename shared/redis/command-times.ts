import type { Command } from 'ioredis';
import type { RedisClient } from './redis-connection.js';

/** One command of so many is timed: to time it costs about a microsecond, and to count it some nanoseconds. */
const ONE_OF = 16;
/** These wait inside Redis as long as they are told to. */
const BLOCKING: ReadonlySet<string> = new Set(['blpop', 'brpop', 'brpoplpush', 'blmove', 'bzpopmin', 'bzpopmax', 'wait', 'waitaof']);

/**
 * Times the commands of a connection, as their callers see them: from the call to the answer, redirections of a Cluster and time limits
 * included. Scripts are commands. What is called while there is no connection is not timed: how long that waits says nothing of Redis' speed.
 * @param onAnswer is told of every sixteenth command how long it took, ms; also of one that failed
 */
export function timeCommands(redis: RedisClient, onAnswer: (ms: number) => void): void {
  // Both clients have the method, with one more parameter for a Cluster, which ioredis' own code gives.
  const client: { sendCommand(command: Command, ...more: unknown[]): unknown } = redis;
  const send = client.sendCommand.bind(redis);
  let count = 0;
  client.sendCommand = (command, ...more) => {
    count += 1;
    if (count < ONE_OF || redis.status !== 'ready' || BLOCKING.has(command.name)) return send(command, ...more);
    count = 0;
    const sentAt = performance.now();
    const answer = send(command, ...more);
    const tell = (): void => onAnswer(performance.now() - sentAt);
    // Both ends are told here, so no failure is left over.
    command.promise.then(tell, tell);
    return answer;
  };
}
