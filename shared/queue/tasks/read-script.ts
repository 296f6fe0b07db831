import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * Everything about one task at one moment.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed. ARGV 1 job id, 2 most bytes of the data, or -1 for any number.
 * @returns 0 when the data has more bytes, -1 when the key holds no job, else {now (ms), fields and values in turn, score in delayed, in
 *          completed, in failed (or nil), 1 when locked}
 */
export const readScript: LuaScript = {
  numberOfKeys: 4,
  lua: `${nowMs}
local most = tonumber(ARGV[2])
local bytes = redis.pcall('HSTRLEN', KEYS[1], '${jobField.data}')
if type(bytes) == 'table' then return string.find(bytes.err, 'WRONGTYPE', 1, true) and -1 or bytes end
if most >= 0 and bytes > most then return 0 end
local function score(key) return redis.call('ZSCORE', key, ARGV[1]) end
return {now, redis.call('HGETALL', KEYS[1]), score(KEYS[2]), score(KEYS[3]), score(KEYS[4]), redis.call('EXISTS', KEYS[1] .. ':lock')}
`,
};
