import { jobField } from './job-fields.js';
import { isLastCopyFunction } from './last-copy.js';

/** Answers of `admitFunction`; submission.ts decides what follows from them. */
export const ADMIT = { absent: 0, sameContent: 1, otherContent: 2, parked: 3, finished: 4, replaced: 5, unreadable: 6 } as const;

/**
 * Answers whether this id may be submitted. It is a part of krsSubmit (submit-script.ts), which then adds the job.
 * A finished record is reported first and removed only when the caller comes back with the time it finished, because
 * the new job has to carry a run number that the first call did not know.
 * When Redis is full nothing is removed: Redis refuses the MULTI that contains krsSubmit. If Redis gets full between the
 * MULTI and the script, it refuses the script's first write or none. So after a removal the add is made, too.
 *
 * @returns a Lua function of (job key, job id, content hash, finishing time seen before or ''), which gives {code,
 *          finishing time, run}; for an unknown id only {code}
 */
export const admitFunction = `${isLastCopyFunction}
local completedSet, failedSet, parkedSet = KEYS[1], KEYS[2], KEYS[3]
local function admit(job, id, sha, seen)
  if redis.call('EXISTS', job) == 0 then return {${ADMIT.absent}} end
  -- The key may hold something else than a job: then this is an error, which is no JSON either.
  local okay, opts = pcall(cjson.decode, redis.pcall('HGET', job, '${jobField.options}') or '')
  if not okay or type(opts) ~= 'table' then return {${ADMIT.unreadable}, '', 0} end
  local failed = redis.call('ZSCORE', failedSet, id)
  local finished = failed or redis.call('ZSCORE', completedSet, id)
  if not finished then
    if opts['sha'] == sha then return {${ADMIT.sameContent}, '', 0} end
    return {${ADMIT.otherContent}, '', 0}
  end
  if failed and isLastCopy(job) then return {${ADMIT.parked}, '', 0} end
  local run = (tonumber(opts['run']) or 1) + (tonumber(redis.call('HGET', job, '${jobField.redrives}')) or 0)
  if seen ~= finished then return {${ADMIT.finished}, finished, run} end
  redis.call('ZREM', completedSet, id)
  redis.call('ZREM', failedSet, id)
  redis.call('ZREM', parkedSet, id)
  redis.call('DEL', job, job .. ':logs', job .. ':lock')
  return {${ADMIT.replaced}, finished, run}
end
`;
