import { isLastCopyFunction } from '../engine/last-copy.js';
import type { LuaScript } from '../engine/lua-script.js';

/**
 * Removes one step of finished records that are old enough, or too many.
 *
 * KEYS 1 completed or failed, 2 parked. ARGV 1 key prefix of jobs, 2 remove what finished before (ms),
 * 3 keep at most (-1 = any number), 4 records per step, 5 look only after this score (cursor), 6 '1' = last copies are spared.
 * @returns {removed, looked at, score of the last one looked at}
 */
export const sweepScript: LuaScript = {
  numberOfKeys: 2,
  lua: `${isLastCopyFunction}
local set, limit, cutoff = KEYS[1], tonumber(ARGV[4]), tonumber(ARGV[2])
local surplus = 0
if tonumber(ARGV[3]) >= 0 then surplus = redis.call('ZCARD', set) - tonumber(ARGV[3]) end
local found = redis.call('ZRANGE', set, ARGV[5], '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
local removed, looked, last = 0, 0, ARGV[5]
for index = 1, #found, 2 do
  local id, score = found[index], tonumber(found[index + 1])
  if score > cutoff and surplus <= removed then break end
  looked = looked + 1
  last = found[index + 1]
  local job = ARGV[1] .. id
  local keep = ARGV[6] == '1' and isLastCopy(job)
  if not keep then
    redis.call('ZREM', set, id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('UNLINK', job, job .. ':logs', job .. ':lock')
    removed = removed + 1
  end
end
return {removed, looked, last}
`,
};
