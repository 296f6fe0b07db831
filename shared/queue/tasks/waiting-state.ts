import { jobField } from '../engine/job-fields.js';
import { readFailureFieldsLua } from '../search/failure-fields.js';

/**
 * Lua: `waitingStateOf(job, failure, attemptsMade)`, the state of a job that waits, from its fields `e` and `atm`: `scheduled`, `retrying`
 * or `dead_lettering`. It brings the functions of failure-fields.ts.
 */
export const waitingStateLua = `${readFailureFieldsLua}
-- An older version writes no failure fields, but always a log. What a receiver said stands in it with its quotes escaped once more.
local function waitingStateByLog(job)
  local log = redis.call('HGET', job, '${jobField.log}') or ''
  local phase, next = string.match(log, [[.*\\"phase\\":\\"(%a+)\\"]]), string.match(log, [[.*\\"next\\":\\"([%a_]+)\\"]])
  if phase == 'dead' or next == 'dead_letter' then return 'dead_lettering' end
  return next and 'retrying' or 'scheduled'
end
local function waitingStateOf(job, failure, attemptsMade)
  local phase = phaseOf(failure, attemptsMade)
  if not phase then return waitingStateByLog(job) end
  if phase == 'dead' then return 'dead_lettering' end
  return failure and (sendsOf(failure) or 0) > 0 and 'retrying' or 'scheduled'
end
`;
