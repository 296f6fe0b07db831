import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * KEYS 1 failed. ARGV 1 from (score), 2 until (ms, '' = now), 3 how many.
 * @returns {until (ms), ids and scores in turn, oldest first}
 */
export const failedPageScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${nowMs}
local till = tonumber(ARGV[2]) or now
return {till, redis.call('ZRANGE', KEYS[1], ARGV[1], till, 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')}
`,
};
