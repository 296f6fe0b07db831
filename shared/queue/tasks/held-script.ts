import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { jobDueAtLua } from '../search/job-due.js';

/** A list may begin with names of jobs that have gone. So many are looked at before the list is taken to have no head. */
const HEADS = 3;

/**
 * The lengths of some waiting lists, the oldest first, and when the oldest of their tasks was due.
 *
 * The time of a deferred job in the delayed set is a safety time, and its place in the list tells when it was deferred. When
 * it was due stands in the job. Priority jobs stand before the others, so a list has two heads.
 *
 * KEYS 1 waiting lists, 2 delayed. ARGV 1 first rank, 2 last rank, 3 key prefix of waiting lists, 4 key prefix of jobs, 5 1 to
 * look for the oldest task.
 * @returns {waiting lists in all, when the oldest was due (ms) or 0, then of each list that is not empty its name, its length, and
 * why its head was deferred, or ''}
 */
export const heldScript: LuaScript = {
  numberOfKeys: 2,
  lua: `${jobDueAtLua}
local oldest = math.huge
-- A job that was fetched since its deferral is not deferred any more.
local function isHeld(id, seen)
  return seen[2] and seen[2] == (seen[3] or '0') and redis.call('ZSCORE', KEYS[2], id)
end
local function headOf(list, from)
  for _, id in ipairs(redis.call('ZRANGE', list, from, '+inf', 'BYSCORE', 'LIMIT', 0, ${HEADS})) do
    local job = ARGV[4] .. id
    local seen = redis.pcall('HMGET', job, '${jobField.waitsFor}', '${jobField.deferredAt}', '${jobField.fetches}')
    if not seen.err and isHeld(id, seen) then
      if ARGV[5] == '1' then oldest = math.min(oldest, dueAtOf(job) or math.huge) end
      return seen[1] or ''
    end
  end
end
local found = {redis.call('ZCARD', KEYS[1]), 0}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local list = ARGV[3] .. name
  local length = redis.call('ZCARD', list)
  if length > 0 then
    local reason = headOf(list, '0')
    if not reason or redis.call('ZCOUNT', list, '-inf', '(0') > 0 then reason = headOf(list, '-inf') or reason end
    found[#found + 1] = name
    found[#found + 1] = length
    found[#found + 1] = reason or ''
  end
end
if oldest < math.huge then found[2] = oldest end
return found
`,
};
