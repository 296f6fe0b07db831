import type { IRedisClient, IRedisTransaction } from 'bullmq';
import { redisErrorCode } from './redis-error.js';

/** After so many SCRIPT FLUSH in the few milliseconds of one request it may fail. */
const MAX_ROUNDS = 5;

/**
 * Runs one MULTI and looks at every reply.
 *
 * After SCRIPT FLUSH (or a failover) Redis answers NOSCRIPT inside the MULTI, for ever, because ioredis believes the
 * scripts to be loaded: then all are loaded and the whole MULTI runs once more, a few times, since somebody may flush
 * again between the two. So what is queued must be safe to repeat.
 *
 * @returns one reply per queued command, in order
 * @throws the first error among the replies, or the one that refused the MULTI as a whole
 */
export async function transact(client: IRedisClient, queueCommands: (multi: IRedisTransaction) => void): Promise<unknown[]> {
  for (let round = 1; ; round += 1) {
    try {
      return await attempt(client, queueCommands);
    } catch (error) {
      if (redisErrorCode(error) !== 'NOSCRIPT' || round === MAX_ROUNDS) throw error;
      await loadScripts(client);
    }
  }
}

async function attempt(client: IRedisClient, queueCommands: (multi: IRedisTransaction) => void): Promise<unknown[]> {
  const multi = client.multi();
  queueCommands(multi);
  const replies = await multi.exec();
  if (replies === null) throw new Error('the MULTI was discarded');
  return replies.map(([error, value]: [Error | null, unknown]) => {
    if (error !== null) throw error;
    return value;
  });
}

async function loadScripts(client: IRedisClient): Promise<void> {
  const raw = client as unknown as { script(command: 'LOAD', lua: string): Promise<unknown> };
  await Promise.all(Object.values(definedScripts(client)).map(({ lua }) => raw.script('LOAD', lua)));
}

/** The text of every command that was defined on this connection, BullMQ's included, by its name. */
export function definedScripts(client: IRedisClient): Readonly<Record<string, { readonly lua: string; readonly numberOfKeys: number | null }>> {
  // ioredis keeps them here; there is no public way to get at them.
  return (client as unknown as { scriptsSet: ReturnType<typeof definedScripts> }).scriptsSet;
}
