import { SCORE_PER_MS } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * Puts jobs that stand in no set and no list among those that wait: due when they would have been, or now.
 *
 * A job that has ended stays away: it was delivered, or a person has cancelled it. So does one with a lock: the next look finds it without.
 *
 * KEYS 1 delayed, 2 prioritized, 3 completed, 4 failed, 5 wait, 6 active, 7 paused, 8 marker. ARGV 1 key prefix of jobs, 2... job ids.
 * @returns the ids of those that were put back
 */
export const restoreStraysScript: LuaScript = {
  numberOfKeys: 8,
  lua: `${nowMs}
local restored = {}
local function isSomewhere(id)
  for nth = 1, 4 do
    if redis.call('ZSCORE', KEYS[nth], id) then return true end
  end
  if redis.call('EXISTS', ARGV[1] .. id .. ':lock') == 1 then return true end
  for nth = 5, 7 do
    if redis.call('LPOS', KEYS[nth], id) then return true end
  end
  return false
end
for index = 2, #ARGV do
  local id = ARGV[index]
  if not isSomewhere(id) then
    -- The key of a job may hold something else: then there is no field in what follows.
    local seen = redis.pcall('HMGET', ARGV[1] .. id, '${jobField.data}', '${jobField.finishedAt}', '${jobField.createdAt}', '${jobField.startedAt}', '${jobField.delay}')
    if seen[1] and not seen[2] then
      local since = tonumber(seen[4] or seen[3]) or 0
      local due = math.max(now, since + (tonumber(seen[5]) or 0))
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
