import { clientOfFunction } from './client-of-job.js';
import { jobField } from './job-fields.js';
import { isLastCopyFunction } from './last-copy.js';

/** Answers of `admitFunction`; submission.ts decides what follows from them. */
export const ADMIT = { absent: 0, sameContent: 1, otherContent: 2, parked: 3, finished: 4, replaced: 5, unreadable: 6, repeated: 7, otherContentOfKey: 8, foreign: 9, noRoom: 10 } as const;

/** SHA-256 in base64url. What stands behind it in the same argument is an Idempotency-Key, and behind that what ONLY_OF begins. */
const CONTENT_HASH_CHARACTERS = 43;

/** Behind it stands the client of the task, where a job of another client must not be replaced. No key and no client has it in it. */
export const ONLY_OF = '\x1e';

/** A key is kept as the beginning of its SHA-1: 64 bits, whatever its length. So a task has room for many, and the usual one costs little. */
const KEPT_KEY_CHARACTERS = 16;
/**
 * So many keys are kept of one task. The first of them always stays: it is that of the submission that began the run. A further one would
 * leave only if 63 other submissions of the same task came between it and its repeat.
 */
export const MOST_KEPT_KEYS = 64;

/**
 * Answers whether this id may be submitted. It is a part of krsSubmit (submit-script.ts), which then adds the job.
 * A finished record is reported first and removed only when the caller comes back with the time it finished, because
 * the new job has to carry a run number that the first call did not know.
 * When Redis is full nothing is removed: Redis refuses the MULTI that contains krsSubmit. If Redis gets full between the
 * MULTI and the script, it refuses the script's first write or none. So after a removal the add is made, too.
 *
 * A submission with an Idempotency-Key leaves the key with the run that it began, or that it was told of. While the record is
 * there, the same key and content never begin another run, also after the end. A record that replaces another one takes its keys over,
 * because a repeat may come late, when another submission has begun the next run already.
 *
 * A job of another client answers `foreign` to a caller that is bound to its own.
 *
 * `noRoom` is the answer of krsSubmit, for a client that may have no further task.
 *
 * @returns a Lua function of (job key, job id, content hash and Idempotency-Key in one text, finishing time seen before or ''), which
 *          gives {code, finishing time or state, run}; for an unknown id only {code}; an error when the key holds
 *          something else. As a second value it gives the keys of the record that it has removed. And \`keepKey\` of (job key, the same
 *          text, these keys or nil).
 */
export const admitFunction = `${isLastCopyFunction}${clientOfFunction}
local completedSet, failedSet, parkedSet = KEYS[1], KEYS[2], KEYS[3]
local function keyIn(content)
  local key = #content > ${CONTENT_HASH_CHARACTERS} and string.match(content, '^[^\\30]+', ${CONTENT_HASH_CHARACTERS + 1})
  return key and string.sub(redis.sha1hex(key), 1, ${KEPT_KEY_CHARACTERS}) or nil
end
local function isForeign(job, content)
  local client = #content > ${CONTENT_HASH_CHARACTERS} and string.match(content, '\\30(.*)$', ${CONTENT_HASH_CHARACTERS + 1})
  if not client then return false end
  return clientOf(job) ~= client
end
local function hasKey(kept, key)
  for at = 1, #kept, ${KEPT_KEY_CHARACTERS} do
    if string.sub(kept, at, at + ${KEPT_KEY_CHARACTERS - 1}) == key then return true end
  end
  return false
end
local function keepKey(job, content, before)
  local key = keyIn(content)
  local kept = before or (key and redis.call('HGET', job, '${jobField.idempotencyKeys}')) or ''
  if key and not hasKey(kept, key) then kept = before and key .. kept or kept .. key
  elseif not before then return end
  if #kept > ${MOST_KEPT_KEYS * KEPT_KEY_CHARACTERS} then kept = string.sub(kept, 1, ${KEPT_KEY_CHARACTERS}) .. string.sub(kept, ${2 * KEPT_KEY_CHARACTERS + 1}) end
  if kept ~= '' then redis.call('HSET', job, '${jobField.idempotencyKeys}', kept) end
end
local function isKept(job, key)
  return key and hasKey(redis.call('HGET', job, '${jobField.idempotencyKeys}') or '', key)
end
local function endedState(job, failed)
  if failed then return isLastCopy(job) and 'parked' or 'dead_lettered' end
  return string.find(redis.call('HGET', job, '${jobField.returnValue}') or '', '{"outcome":"cancelled"', 1, true) == 1 and 'cancelled' or 'delivered'
end
local function admit(job, id, content, seen)
  if redis.call('EXISTS', job) == 0 then return {${ADMIT.absent}} end
  local options = redis.pcall('HGET', job, '${jobField.options}')
  -- The key holds something else than a job. That is the error of this task alone.
  if type(options) == 'table' then return options end
  -- Whatever the state of the job is: nothing is told of it.
  if isForeign(job, content) then return {${ADMIT.foreign}, '', 0} end
  local okay, opts = pcall(cjson.decode, options or '')
  if not okay or type(opts) ~= 'table' then return {${ADMIT.unreadable}, '', 0} end
  local failed = redis.call('ZSCORE', failedSet, id)
  local finished = failed or redis.call('ZSCORE', completedSet, id)
  local isSame = opts['sha'] == string.sub(content, 1, ${CONTENT_HASH_CHARACTERS})
  if not finished then
    if not isSame then return {${ADMIT.otherContent}, '', 0} end
    keepKey(job, content)
    return {${ADMIT.sameContent}, '', 0}
  end
  local run = (tonumber(opts['run']) or 1) + (tonumber(redis.call('HGET', job, '${jobField.redrives}')) or 0)
  local isRepeat = isKept(job, keyIn(content))
  if isRepeat and isSame then return {${ADMIT.repeated}, endedState(job, failed), run} end
  if failed and isLastCopy(job) then return {${ADMIT.parked}, '', 0} end
  if isRepeat then return {${ADMIT.otherContentOfKey}, '', 0} end
  if seen ~= finished then return {${ADMIT.finished}, finished, run} end
  local keys = redis.call('HGET', job, '${jobField.idempotencyKeys}')
  redis.call('ZREM', completedSet, id)
  redis.call('ZREM', failedSet, id)
  redis.call('ZREM', parkedSet, id)
  redis.call('DEL', job, job .. ':logs', job .. ':lock')
  return {${ADMIT.replaced}, finished, run}, keys
end
`;
