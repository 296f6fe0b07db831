import { jobField } from '../engine/job-fields.js';
import { isLastCopyFunction } from '../engine/last-copy.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/** Answers of cancelScript. */
export const CANCEL = { absent: 0, cancelled: 1, deleted: 2, beingSent: 3, deadLettered: 4, completed: 5 } as const;

/**
 * Cancels a task that waits, or deletes a parked one for good. Taking the id out of the set or list it waits in proves
 * that it waits. A job whose worker died is in none of them until the stall check has put it back, so it is not cancelled
 * while that worker's send may still be on its way. The data is not read, so tasks of any version can be cancelled.
 *
 * Nothing else has to be cleaned: BullMQ's own removal leaves the marker and the priority counter to the next worker. The
 * first write is a ZREM, which Redis runs even when it is full. Then it also runs the rest of the script.
 * A deferred job is removed from its waiting list: the list of a paused destination is not woken, and would grow for ever.
 *
 * KEYS 1 job, 2 delayed, 3 prioritized, 4 wait, 5 paused, 6 active, 7 completed, 8 failed, 9 parked, 10 unreadable, 11 waiting lists.
 * ARGV 1 job id, 2 key prefix of waiting lists.
 * @returns {code, return value of what had completed before, or ''}
 */
export const cancelScript: LuaScript = {
  numberOfKeys: 11,
  lua: `${nowMs}${isLastCopyFunction}
local job, id = KEYS[1], ARGV[1]
if redis.call('EXISTS', job) == 0 then return {${CANCEL.absent}, ''} end
local function forget()
  redis.call('ZREM', KEYS[9], id)
  redis.call('ZREM', KEYS[10], id)
end
if redis.call('ZSCORE', KEYS[8], id) then
  if not isLastCopy(job) then return {${CANCEL.deadLettered}, ''} end
  redis.call('ZREM', KEYS[8], id)
  forget()
  redis.call('DEL', job, job .. ':logs', job .. ':lock')
  return {${CANCEL.deleted}, ''}
end
if redis.call('ZSCORE', KEYS[7], id) then return {${CANCEL.completed}, redis.call('HGET', job, '${jobField.returnValue}') or ''} end
local waited = redis.call('ZREM', KEYS[2], id) + redis.call('ZREM', KEYS[3], id)
if waited == 0 then
  -- The list of running jobs is short, the lists of due ones may be long: look there first.
  if redis.call('LPOS', KEYS[6], id) then return {${CANCEL.beingSent}, ''} end
  waited = redis.call('LREM', KEYS[4], 0, id) + redis.call('LREM', KEYS[5], 0, id)
end
if waited == 0 then return {${CANCEL.beingSent}, ''} end
forget()
local waitingList = redis.call('HGET', job, '${jobField.waitingList}')
if waitingList then
  redis.call('ZREM', ARGV[2] .. waitingList, id)
  if redis.call('EXISTS', ARGV[2] .. waitingList) == 0 then redis.call('ZREM', KEYS[11], waitingList) end
end
redis.call('DEL', job .. ':lock')
redis.call('HSET', job, '${jobField.returnValue}', '{"outcome":"cancelled","at":' .. string.format('%d', now) .. '}', '${jobField.finishedAt}', now)
redis.call('ZADD', KEYS[7], now, id)
return {${CANCEL.cancelled}, ''}
`,
};
