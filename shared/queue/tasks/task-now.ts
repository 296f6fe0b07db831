import { jobField } from '../engine/job-fields.js';
import { isLastCopyFunction } from '../engine/last-copy.js';
import { CANCELLED } from './sample-scripts.js';
import { waitingStateLua } from './waiting-state.js';

/** Where taskNowLua finds a job. */
export const TASK_PLACE = { delayed: 'delayed', due: 'due', active: 'active', ended: 'ended' } as const;

/**
 * Lua: `taskNow(keys, job, id)` is how a script that changes a task looks at it; searches have found it before. It looks at one task and gives {state, run, score, place}, or nil when there is none, or its key holds something
 * else. `state` is that of the API, `score` the time by which tasks are ordered, in ms: when it ended, or when it is to be sent.
 * `keys` as for cancelJob. It changes nothing.
 */
export const taskNowLua = `${isLastCopyFunction}${waitingStateLua}
local function taskNow(keys, job, id)
  local seen = redis.pcall('HMGET', job, '${jobField.createdAt}', '${jobField.options}', '${jobField.redrives}', '${jobField.failure}', '${jobField.attemptsMade}', '${jobField.finishedAt}')
  if seen.err or not seen[1] then return nil end
  local run = (tonumber(string.match(seen[2] or '', '"run":(%d+)')) or 1) + (tonumber(seen[3]) or 0)
  local created, finished = tonumber(seen[1]) or 0, tonumber(seen[6]) or 0
  if redis.call('ZSCORE', keys[7], id) then return {isLastCopy(job) and 'parked' or 'dead_lettered', run, finished, '${TASK_PLACE.ended}'} end
  if redis.call('ZSCORE', keys[6], id) then
    local value = redis.call('HGET', job, '${jobField.returnValue}') or ''
    return {string.sub(value, 1, ${CANCELLED.length}) == '${CANCELLED}' and 'cancelled' or 'delivered', run, finished, '${TASK_PLACE.ended}'}
  end
  local state = waitingStateOf(job, seen[4], seen[5])
  local score = redis.call('ZSCORE', keys[1], id)
  if score then return {state, run, math.floor(tonumber(score) / 0x1000), '${TASK_PLACE.delayed}'} end
  if not redis.call('ZSCORE', keys[2], id) and redis.call('LPOS', keys[5], id) then
    return {state == 'dead_lettering' and state or 'delivering', run, created, '${TASK_PLACE.active}'}
  end
  return {state, run, created, '${TASK_PLACE.due}'}
end
`;
