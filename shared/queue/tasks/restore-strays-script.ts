import { SCORE_PER_MS } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import { isLastCopyFunction } from '../engine/last-copy.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/** Jobs in both lists together: a search through them takes some microseconds. */
const LONGEST_LISTS = 500;

/**
 * Puts jobs that stand in no set and no list among those that wait: due when they would have been, or now.
 *
 * One that has ended goes to those that have ended: it was delivered, or a person has cancelled it. One with a lock is left: the next look finds it without.
 *
 * Where many stand in the two lists that only an older version fills, it looks for none: they are searched from end to end for each job. They drain,
 * and the next look comes.
 *
 * KEYS 1 delayed, 2 prioritized, 3 completed, 4 failed, 5 wait, 6 paused, 7 active, 8 marker, 9 parked. ARGV 1 key prefix of jobs, 2 '1' = due now in any case,
 * 3... job ids.
 * @returns the ids of those that were put back
 */
export const restoreStraysScript: LuaScript = {
  numberOfKeys: 9,
  lua: `${nowMs}${isLastCopyFunction}
local restored = {}
if redis.call('LLEN', KEYS[5]) + redis.call('LLEN', KEYS[6]) > ${LONGEST_LISTS} then return restored end
local isActive
local function isHeld(id)
  if not isActive then
    isActive = {}
    for _, held in ipairs(redis.call('LRANGE', KEYS[7], 0, -1)) do isActive[held] = true end
  end
  return isActive[id]
end
local function isSomewhere(id)
  for nth = 1, 4 do
    if redis.call('ZSCORE', KEYS[nth], id) then return true end
  end
  if redis.call('EXISTS', ARGV[1] .. id .. ':lock') == 1 then return true end
  return isHeld(id) or redis.call('LPOS', KEYS[5], id) or redis.call('LPOS', KEYS[6], id)
end
for index = 3, #ARGV do
  local id = ARGV[index]
  if not isSomewhere(id) then
    -- The key of a job may hold something else: then there is no field in what follows.
    local seen = redis.pcall('HMGET', ARGV[1] .. id, '${jobField.data}', '${jobField.finishedAt}', '${jobField.createdAt}', '${jobField.startedAt}', '${jobField.delay}', '${jobField.returnValue}')
    if seen[1] and seen[2] then
      redis.call('ZADD', seen[6] and KEYS[3] or KEYS[4], seen[2], id)
      if not seen[6] and isLastCopy(ARGV[1] .. id) then redis.call('ZADD', KEYS[9], seen[2], id) end
      restored[#restored + 1] = id
    elseif seen[1] then
      -- A backoff counts from the end of a send, which is written nowhere: it is shorter here by the length of that send.
      local since = tonumber(seen[4] or seen[3]) or 0
      local due = ARGV[2] == '1' and now or math.max(now, since + (tonumber(seen[5]) or 0))
      redis.call('ZADD', KEYS[1], string.format('%.0f', due * ${SCORE_PER_MS}), id)
      restored[#restored + 1] = id
    end
  end
end
-- An idle worker looks again when its next job is due.
if #restored > 0 then redis.call('ZADD', KEYS[8], 0, '0') end
return restored
`,
};
