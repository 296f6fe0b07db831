import { dueAtOfScore } from './due-score.js';
import type { LuaScript } from './lua-script.js';
import { nowMs } from './now-ms.js';
import type { Shard } from './shard.js';
import type { ShardInRedis } from './shard-standstill.js';

const COMMAND = 'krsDueProbe';

/**
 * What the next fetch would find. It only reads, so a full Redis answers too.
 *
 * KEYS 1 delayed, 2 prioritized, 3 wait, 4 meta, 5 limiter.
 * @returns {now, lowest score of delayed or '', id of the next job or '', whether BullMQ's own pause or limit holds the queue}
 */
const script: LuaScript = {
  numberOfKeys: 5,
  lua: `${nowMs}
return {
  now,
  redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or '',
  redis.call('LINDEX', KEYS[3], -1) or redis.call('ZRANGE', KEYS[2], 0, 0)[1] or '',
  redis.call('HEXISTS', KEYS[4], 'paused') + redis.call('HEXISTS', KEYS[4], 'concurrency') + redis.call('EXISTS', KEYS[5]),
}
`,
};

/** @throws when Redis fails */
export async function probeDue({ client, keys }: Shard): Promise<ShardInRedis> {
  if (!(COMMAND in client)) client.defineCommand(COMMAND, script);
  // The script's own answer.
  const [now, lowestScore, next, holds] = (await client.runCommand(COMMAND, [keys.delayed, keys.prioritized, keys.wait, `${keys.base}meta`, `${keys.base}limiter`])) as [number, string, string, number];
  const dueAt = lowestScore === '' ? undefined : dueAtOfScore(lowestScore);
  return { now, oldestDueAt: dueAt !== undefined && dueAt <= now ? dueAt : undefined, next: next === '' ? undefined : next, isHeld: holds > 0 };
}
