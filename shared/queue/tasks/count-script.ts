import type { LuaScript } from '../engine/lua-script.js';

/**
 * Counts the tasks in each place. Only lengths are read, no list.
 *
 * KEYS 1 delayed, 2 prioritized, 3 wait, 4 paused, 5 active, 6 completed, 7 failed, 8 parked, 9 unreadable.
 * ARGV 1 highest score of delayed that is due, 2 count unreadable ones since (ms).
 * @returns {delayed and not due, due, active, completed, failed, parked, unreadable, lowest score of delayed or ''}
 */
export const countScript: LuaScript = {
  numberOfKeys: 9,
  lua: `
local overdue = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
local failed = redis.call('ZCARD', KEYS[7])
return {
  redis.call('ZCARD', KEYS[1]) - overdue,
  overdue + redis.call('ZCARD', KEYS[2]) + redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]),
  redis.call('LLEN', KEYS[5]),
  redis.call('ZCARD', KEYS[6]),
  failed,
  math.min(failed, redis.call('ZCARD', KEYS[8])),
  redis.call('ZCOUNT', KEYS[9], ARGV[2], '+inf'),
  redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or '',
}
`,
};
