import { redisErrorCode } from '../../redis/redis-error.js';
import { withinRequestLimit } from '../../redis/request-limit.js';
import { loadScripts } from './defined-scripts.js';
import type { QueueClient } from './queue-client.js';
import type { ScriptTransaction } from './small-multi.js';

/** When scripts are flushed this often within the few milliseconds of one request, the request may fail. */
const MAX_ROUNDS = 5;

/**
 * Runs one MULTI and looks at every reply.
 *
 * After SCRIPT FLUSH (or a failover) Redis answers NOSCRIPT inside the MULTI, for ever, because ioredis believes the
 * scripts to be loaded: then all are loaded and the whole MULTI runs once more, a few times, since the scripts may be flushed
 * again between the two. So what is queued must be safe to repeat.
 *
 * @param begin   makes the MULTI: see small-multi.ts
 * @param limitMs of all rounds together
 * @returns one reply per queued command, in order
 * @throws the first error among the replies, or the one that refused the MULTI as a whole; RequestLimitReached, and then it
 *         may still be done
 */
export function transact<T extends ScriptTransaction>(client: QueueClient, begin: () => T, queueCommands: (multi: T) => void, limitMs: number): Promise<unknown[]> {
  const run = (): Promise<unknown[]> => {
    const multi = begin();
    queueCommands(multi);
    return repliesOf(multi);
  };
  return withinRequestLimit(inRounds(client, run, performance.now() + limitMs), limitMs);
}

async function inRounds(client: QueueClient, run: () => Promise<unknown[]>, until: number): Promise<unknown[]> {
  for (let round = 1; ; round += 1) {
    try {
      return await run();
    } catch (error) {
      // Its caller has been answered by then: nothing more is tried behind its back.
      if (redisErrorCode(error) !== 'NOSCRIPT' || round === MAX_ROUNDS || performance.now() >= until) throw error;
      await loadScripts(client);
    }
  }
}

async function repliesOf(multi: ScriptTransaction): Promise<unknown[]> {
  const replies = await multi.exec();
  if (replies === null) throw new Error('the MULTI was discarded');
  return replies.map(([error, value]: [Error | null, unknown]) => {
    if (error !== null) throw error;
    return value;
  });
}
