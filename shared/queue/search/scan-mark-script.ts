import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { SCORE_PER_MS } from '../engine/due-score.js';

/**
 * What tells in a few microseconds whether tasks have moved in a shard. Each move changes one of these numbers, but for a task that is made
 * due inside its set: that one is counted as due.
 *
 * KEYS 1 wait, 2 paused, 3 prioritized, 4 active, 5 completed, 6 failed, 7 delayed, 8 BullMQ's counter of due jobs, 9 waiting lists. ARGV 1 time (ms) or ''.
 * @returns {Redis' time (ms), the counter, lengths of the first six, tasks that have ended since the time, tasks that are due and still
 * stand in the delayed set, waiting lists}
 */
export const scanMarkScript: LuaScript = {
  numberOfKeys: 9,
  lua: `${nowMs}
local lengths = {}
for nth = 1, 6 do lengths[nth] = redis.call((nth == 3 or nth > 4) and 'ZCARD' or 'LLEN', KEYS[nth]) end
local ended = 0
if ARGV[1] ~= '' then ended = redis.call('ZCOUNT', KEYS[5], '(' .. ARGV[1], '+inf') + redis.call('ZCOUNT', KEYS[6], '(' .. ARGV[1], '+inf') end
local due = redis.call('ZCOUNT', KEYS[7], '-inf', '(' .. string.format('%.0f', (now + 1) * ${SCORE_PER_MS}))
return {now, tonumber(redis.call('GET', KEYS[8]) or 0), table.concat(lengths, ' '), ended, due, redis.call('ZCARD', KEYS[9])}
`,
};
