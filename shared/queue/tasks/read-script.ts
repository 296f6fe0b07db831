import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';

/**
 * Everything about one task at one moment.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed. ARGV 1 job id, 2 most bytes of the data, or -1 for any number.
 * @returns 0 when the data has more bytes, else {fields and values in turn, score in delayed, in completed, in failed (or nil), 1 when locked}
 */
export const readScript: LuaScript = {
  numberOfKeys: 4,
  lua: `
local most = tonumber(ARGV[2])
if most >= 0 and redis.call('HSTRLEN', KEYS[1], '${jobField.data}') > most then return 0 end
local function score(key) return redis.call('ZSCORE', key, ARGV[1]) end
return {redis.call('HGETALL', KEYS[1]), score(KEYS[2]), score(KEYS[3]), score(KEYS[4]), redis.call('EXISTS', KEYS[1] .. ':lock')}
`,
};
