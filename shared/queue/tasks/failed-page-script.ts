import type { LuaScript } from '../engine/lua-script.js';

/**
 * KEYS 1 failed. ARGV 1 from (score), 2 until (score), 3 how many.
 * @returns ids and scores in turn, oldest first
 */
export const failedPageScript: LuaScript = {
  numberOfKeys: 1,
  lua: `return redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')`,
};
