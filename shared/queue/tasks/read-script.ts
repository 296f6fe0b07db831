import { clientOfFunction } from '../engine/client-of-job.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * Everything about one task at one moment.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed. ARGV 1 job id, 2 most bytes of the data, or -1 for any number, then the clients whose task it may
 * be (none: any).
 * @returns 0 when the data has more bytes, -1 when the key holds no job, -2 when it is the task of another client, which is told before its size, else {now (ms), fields and values in turn, score in delayed, in
 *          completed, in failed (or nil), 1 when locked}
 */
export const readScript: LuaScript = {
  numberOfKeys: 4,
  lua: `${nowMs}${clientOfFunction}
local most = tonumber(ARGV[2])
local bytes = redis.pcall('HSTRLEN', KEYS[1], '${jobField.data}')
if type(bytes) == 'table' then return string.find(bytes.err, 'WRONGTYPE', 1, true) and -1 or bytes end
if #ARGV > 2 and redis.call('EXISTS', KEYS[1]) == 1 then
  local client, isOwn = clientOf(KEYS[1]), false
  for index = 3, #ARGV do isOwn = isOwn or client == ARGV[index] end
  if not isOwn then return -2 end
end
if most >= 0 and bytes > most then return 0 end
local function score(key) return redis.call('ZSCORE', key, ARGV[1]) end
return {now, redis.call('HGETALL', KEYS[1]), score(KEYS[2]), score(KEYS[3]), score(KEYS[4]), redis.call('EXISTS', KEYS[1] .. ':lock')}
`,
};
