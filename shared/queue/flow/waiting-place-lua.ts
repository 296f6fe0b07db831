import { jobField } from '../engine/job-fields.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * A score in a waiting list is the time since which the job waits, in ms; a priority job's is so much less that it stands before
 * all others, and is below zero.
 */
export const PRIORITY_AHEAD_MS = 10_000_000_000_000;

/**
 * Lua: `placeOf(job, id, base, deferredAt)` gives the score of a job in its waiting list and the name of that list, or nil. A job whose last
 * deferral was at the fetch `deferredAt`, and that nobody has woken since, is held still: it comes back to the place that it had. A search goes
 * by this place (decision 26). `toPlace` puts it there, into another list where its flow has changed, and writes down since when it has it: from now on,
 * where a search has not seen it there for a while (`isNew`).
 */
export const waitingPlaceFunctions = `${nowMs}
local heldAt = string.format('%d', now)
local function placeOf(job, id, base, deferredAt)
  local seen = redis.pcall('HMGET', job, '${jobField.deferredAt}', '${jobField.waitingList}')
  if not seen[1] or not seen[2] or seen[1] ~= deferredAt then return nil end
  return redis.call('ZSCORE', base .. seen[2], id), seen[2]
end
local function toPlace(job, id, base, lists, waitingList, since, isPriority, place, before, isNew)
  redis.call('HSET', job, '${jobField.waitingList}', waitingList)
  if place and not isNew then
    redis.call('HSETNX', job, '${jobField.heldAt}', heldAt)
  else
    redis.call('HSET', job, '${jobField.heldAt}', heldAt, '${jobField.movedAt}', heldAt)
  end
  if place and before ~= waitingList then
    redis.call('ZREM', base .. before, id)
    if redis.call('EXISTS', base .. before) == 0 then redis.call('ZREM', lists, before) end
  end
  redis.call('ZADD', base .. waitingList, place or (isPriority and since - ${PRIORITY_AHEAD_MS} or since), id)
  redis.call('ZADD', lists, 'NX', since, waitingList)
end
`;
