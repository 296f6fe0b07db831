import { jobField } from '../engine/job-fields.js';
import { isLastCopyFunction } from '../engine/last-copy.js';
import { countTaskLua } from '../engine/quota-lua.js';
import { toldBulkActionLua } from '../engine/told-bulk-action.js';

/** Answers of cancelLua. */
export const CANCEL = { absent: 0, cancelled: 1, deleted: 2, beingSent: 3, deadLettered: 4, completed: 5 } as const;

/**
 * Lua: `cancelJob(keys, job, id, at, more, waitingListBase)` cancels a task that waits, or deletes a parked one for good. Taking
 * the id out of the set or list it waits in proves
 * that it waits. A job whose worker died is in none of them until the stall check has put it back, so it is not cancelled
 * while that worker's send may still be on its way. The data is not read, so tasks of any version can be cancelled.
 *
 * Nothing else has to be cleaned: BullMQ's own removal leaves the marker and the priority counter to the next worker. The
 * first write is a ZREM, which Redis runs even when it is full. Then it also runs the rest of the script.
 * A deferred job is removed from its waiting list: the list of a paused destination is not woken, and would grow for ever.
 *
 * `at` is now, in ms. `more` is added to the return value of a cancelled task: `,"bulk":"ba_1"`.
 * `keys`: delayed, prioritized, wait, paused, active, completed, failed, parked, unreadable, waiting lists, in this order.
 * It gives {code, return value of what had completed before, or ''}.
 */
export const cancelLua = `${isLastCopyFunction}${toldBulkActionLua}${countTaskLua}
local function cancelJob(keys, job, id, at, more, waitingListBase)
  if redis.call('EXISTS', job) == 0 then return {${CANCEL.absent}, ''} end
  local function forget()
    redis.call('ZREM', keys[8], id)
    redis.call('ZREM', keys[9], id)
  end
  if redis.call('ZSCORE', keys[7], id) then
    if not isLastCopy(job) then return {${CANCEL.deadLettered}, ''} end
    redis.call('ZREM', keys[7], id)
    forget()
    countTask(string.sub(job, 1, #job - #id), job, -1)
    redis.call('DEL', job, job .. ':logs', job .. ':lock')
    return {${CANCEL.deleted}, ''}
  end
  if redis.call('ZSCORE', keys[6], id) then return {${CANCEL.completed}, redis.call('HGET', job, '${jobField.returnValue}') or ''} end
  local waited = redis.call('ZREM', keys[1], id) + redis.call('ZREM', keys[2], id)
  if waited == 0 then
    -- The list of running jobs is short, the lists of due ones may be long: look there first.
    if redis.call('LPOS', keys[5], id) then return {${CANCEL.beingSent}, ''} end
    waited = redis.call('LREM', keys[3], 0, id) + redis.call('LREM', keys[4], 0, id)
  end
  if waited == 0 then return {${CANCEL.beingSent}, ''} end
  forget()
  local waitingList = redis.call('HGET', job, '${jobField.waitingList}')
  if waitingList then
    redis.call('ZREM', waitingListBase .. waitingList, id)
    if redis.call('EXISTS', waitingListBase .. waitingList) == 0 then redis.call('ZREM', keys[10], waitingList) end
  end
  redis.call('DEL', job .. ':lock')
  redis.call('HSET', job, '${jobField.returnValue}', '{"outcome":"cancelled","at":' .. string.format('%d', at) .. more .. '}', '${jobField.finishedAt}', at)
  redis.call('ZADD', keys[6], at, id)
  tellEnd(job, id, at, 'cancelled')
  countTask(string.sub(job, 1, #job - #id), job, -1)
  return {${CANCEL.cancelled}, ''}
end
`;
