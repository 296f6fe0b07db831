import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * Makes a dead or parked task new: its log becomes history, its run goes up, its stalls and its failure are forgotten. It
 * runs before BullMQ's retry in the same MULTI, on the same condition (it is in the failed set).
 *
 * KEYS 1 job, 2 failed, 3 parked. ARGV 1 job id, 2 entries of history to keep.
 * @returns {the new run, or 0 when the job is not in the failed set, now (ms)}
 */
export const prepareRedriveScript: LuaScript = {
  numberOfKeys: 3,
  lua: `${nowMs}
local job, id = KEYS[1], ARGV[1]
if not redis.call('ZSCORE', KEYS[2], id) then return {0, now} end
local function list(field)
  local okay, value = pcall(cjson.decode, redis.call('HGET', job, field) or '[]')
  if okay and type(value) == 'table' then return value end
  return {}
end
local history = list('${jobField.history}')
for _, entry in ipairs(list('${jobField.log}')) do history[#history + 1] = entry end
local from = math.max(1, #history - tonumber(ARGV[2]) + 1)
local kept = {}
for index = from, #history do kept[#kept + 1] = history[index] end
if #kept > 0 then redis.call('HSET', job, '${jobField.history}', cjson.encode(kept)) end
local okay, opts = pcall(cjson.decode, redis.call('HGET', job, '${jobField.options}') or '{}')
local first = okay and tonumber(opts['run']) or 1
local run = first + redis.call('HINCRBY', job, '${jobField.redrives}', 1)
local mark = '{"kind":"redrive","run":' .. string.format('%d', run) .. ',"at":' .. string.format('%d', now) .. '}'
redis.call('HSET', job, '${jobField.log}', cjson.encode({mark}))
redis.call('HDEL', job, '${jobField.stalls}', '${jobField.deferredAt}', '${jobField.failure}')
redis.call('ZREM', KEYS[3], id)
return {run, now}
`,
};
