import { jobField } from '../engine/job-fields.js';
import { toldBulkActionLua } from '../engine/told-bulk-action.js';

/** How many entries of earlier runs a redriven task keeps. */
const HISTORY_ENTRIES = 60;

/**
 * Lua: `prepareRedrive(job, id, failed, parked, at, more)` makes a dead or parked task new: its log becomes history, its run goes up, its
 * stalls and its failure are forgotten. BullMQ's retry follows in the same step, on the same condition (it is in the failed set).
 * `at` is now, in ms, and `more` is added to the mark in its log: `,"bulk":"ba_1"`. It gives the new run, or 0 when the job is not in the failed set.
 */
export const prepareRedriveLua = `${toldBulkActionLua}
local function prepareRedrive(job, id, failedSet, parkedSet, at, more)
  if not redis.call('ZSCORE', failedSet, id) then return 0 end
  local function list(field)
    local okay, value = pcall(cjson.decode, redis.call('HGET', job, field) or '[]')
    if okay and type(value) == 'table' then return value end
    return {}
  end
  -- A worker of an older version has ended it, and has told no bulk action.
  tellEnd(job, id, at, 'failedAgain')
  local history = list('${jobField.history}')
  for _, entry in ipairs(list('${jobField.log}')) do history[#history + 1] = entry end
  local from = math.max(1, #history - ${HISTORY_ENTRIES} + 1)
  local kept = {}
  for index = from, #history do kept[#kept + 1] = history[index] end
  if #kept > 0 then redis.call('HSET', job, '${jobField.history}', cjson.encode(kept)) end
  local okay, opts = pcall(cjson.decode, redis.call('HGET', job, '${jobField.options}') or '{}')
  local first = okay and tonumber(opts['run']) or 1
  local run = first + redis.call('HINCRBY', job, '${jobField.redrives}', 1)
  local mark = '{"kind":"redrive","run":' .. string.format('%d', run) .. ',"at":' .. string.format('%d', at) .. more .. '}'
  redis.call('HSET', job, '${jobField.log}', cjson.encode({mark}), '${jobField.movedAt}', string.format('%d', at))
  redis.call('HDEL', job, '${jobField.stalls}', '${jobField.deferredAt}', '${jobField.failure}')
  redis.call('ZREM', parkedSet, id)
  return run
end
`;
