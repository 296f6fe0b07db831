import { FAILURE_FIELD } from './failure-fields.js';

/**
 * Our own Lua, run in one MULTI with BullMQ's scripts. Each touches keys of one queue only, so it works on a cluster.
 * BullMQ's own steps (adding, retrying) are never written again here.
 */

/** Answers of `admitFunction`; see submission.ts. */
export const ADMIT = { absent: 0, sameContent: 1, otherContent: 2, parked: 3, finished: 4, replaced: 5, unreadable: 6 } as const;

/** Answers of `cancel`; see cancel-task.ts. */
export const CANCEL = { absent: 0, cancelled: 1, deleted: 2, beingSent: 3, deadLettered: 4, completed: 5 } as const;

/** Answers of `locate`; see send-now.ts. `due`: in none of the others, so it waits for a free slot. */
export const PLACE = { nowhere: 0, delayed: 1, due: 2, active: 3, completed: 4, failed: 5 } as const;

/**
 * Only a record that says "the dead letter was delivered" proves that another copy exists. Anything else in the failed
 * set (parked, or a log that cannot be read) is the last copy.
 */
const isLastCopy = `
local function isLastCopy(job)
  local read, log = pcall(cjson.decode, redis.call('HGET', job, 'stacktrace') or '')
  if not read or type(log) ~= 'table' then return true end
  local known, entry = pcall(cjson.decode, log[#log] or '')
  return not known or type(entry) ~= 'table' or entry['next'] ~= 'dead_lettered'
end
`;

/**
 * May this id be submitted? A part of krsSubmit (submit-script.ts), which adds the job if so.
 * A finished record is reported first and removed only when the caller comes back with the time it finished, because
 * the new job has to carry a run number that the first call did not know.
 * With Redis full nothing is removed: Redis refuses the MULTI that krsSubmit stands in. Should it get full between that
 * and the script, it refuses the script's first write or none: a removal that got through takes the add with it.
 *
 * @returns a Lua function of (job key, job id, content hash, finishing time seen before or ''), which gives {code,
 *          finishing time, run}; of an absent one {code} alone
 */
export const admitFunction = `${isLastCopy}
local completedSet, failedSet, parkedSet = KEYS[1], KEYS[2], KEYS[3]
local function admit(job, id, sha, seen)
  if redis.call('EXISTS', job) == 0 then return {${ADMIT.absent}} end
  local okay, opts = pcall(cjson.decode, redis.call('HGET', job, 'opts') or '')
  if not okay or type(opts) ~= 'table' then return {${ADMIT.unreadable}, '', 0} end
  local failed = redis.call('ZSCORE', failedSet, id)
  local finished = failed or redis.call('ZSCORE', completedSet, id)
  if not finished then
    if opts['sha'] == sha then return {${ADMIT.sameContent}, '', 0} end
    return {${ADMIT.otherContent}, '', 0}
  end
  if failed and isLastCopy(job) then return {${ADMIT.parked}, '', 0} end
  local run = (tonumber(opts['run']) or 1) + (tonumber(redis.call('HGET', job, 'redrives')) or 0)
  if seen ~= finished then return {${ADMIT.finished}, finished, run} end
  redis.call('ZREM', completedSet, id)
  redis.call('ZREM', failedSet, id)
  redis.call('ZREM', parkedSet, id)
  redis.call('DEL', job, job .. ':logs', job .. ':lock')
  return {${ADMIT.replaced}, finished, run}
end
`;

/**
 * Makes a dead or parked task new: its log becomes history, its run goes up, its stalls and its failure are forgotten. Runs before
 * BullMQ's retry in the same MULTI, on the same condition (it is in the failed set).
 *
 * KEYS 1 job, 2 failed, 3 parked. ARGV 1 job id, 2 now (ms), 3 entries of history to keep.
 * @returns the new run, or 0 when the job is not in the failed set
 */
const prepareRedrive = `
local job, id = KEYS[1], ARGV[1]
if not redis.call('ZSCORE', KEYS[2], id) then return 0 end
local function list(field)
  local okay, value = pcall(cjson.decode, redis.call('HGET', job, field) or '[]')
  if okay and type(value) == 'table' then return value end
  return {}
end
local history = list('history')
for _, entry in ipairs(list('stacktrace')) do history[#history + 1] = entry end
local from = math.max(1, #history - tonumber(ARGV[3]) + 1)
local kept = {}
for index = from, #history do kept[#kept + 1] = history[index] end
if #kept > 0 then redis.call('HSET', job, 'history', cjson.encode(kept)) end
local okay, opts = pcall(cjson.decode, redis.call('HGET', job, 'opts') or '{}')
local first = okay and tonumber(opts['run']) or 1
local run = first + redis.call('HINCRBY', job, 'redrives', 1)
local mark = '{"kind":"redrive","run":' .. string.format('%d', run) .. ',"at":' .. ARGV[2] .. '}'
redis.call('HSET', job, 'stacktrace', cjson.encode({mark}))
redis.call('HDEL', job, 'stc', 'deferred', '${FAILURE_FIELD}')
redis.call('ZREM', KEYS[3], id)
return run
`;

/**
 * Removes a step's worth of finished records that are old enough, or too many.
 *
 * KEYS 1 completed or failed, 2 parked. ARGV 1 key prefix of jobs, 2 remove what finished before (ms),
 * 3 keep at most (-1 = any number), 4 records per step, 5 look only after this score (cursor), 6 '1' = last copies are spared.
 * @returns {removed, looked at, score of the last one looked at}
 */
const sweep = `${isLastCopy}
local set, limit, cutoff = KEYS[1], tonumber(ARGV[4]), tonumber(ARGV[2])
local surplus = 0
if tonumber(ARGV[3]) >= 0 then surplus = redis.call('ZCARD', set) - tonumber(ARGV[3]) end
local found = redis.call('ZRANGE', set, ARGV[5], '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
local removed, looked, last = 0, 0, ARGV[5]
for index = 1, #found, 2 do
  local id, score = found[index], tonumber(found[index + 1])
  if score > cutoff and surplus <= removed then break end
  looked = looked + 1
  last = found[index + 1]
  local job = ARGV[1] .. id
  local keep = ARGV[6] == '1' and isLastCopy(job)
  if not keep then
    redis.call('ZREM', set, id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('UNLINK', job, job .. ':logs', job .. ':lock')
    removed = removed + 1
  end
end
return {removed, looked, last}
`;

/**
 * Everything about one task at one moment.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed. ARGV 1 job id.
 * @returns {fields and values in turn, score in delayed, in completed, in failed (or nil), 1 when locked}
 */
const read = `
local function score(key) return redis.call('ZSCORE', key, ARGV[1]) end
return {redis.call('HGETALL', KEYS[1]), score(KEYS[2]), score(KEYS[3]), score(KEYS[4]), redis.call('EXISTS', KEYS[1] .. ':lock')}
`;

/**
 * KEYS 1 failed. ARGV 1 from (score), 2 until (score), 3 how many.
 * @returns ids and scores in turn, oldest first
 */
const failedPage = `return redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')`;

/**
 * Cancels a task that waits, or deletes a parked one for good. "Waits" is proven by taking the id out of the set or
 * list it waits in: a job whose worker died is in none of them until the stall check has put it back, so it is not
 * cancelled while that worker's send may still be on its way. Data is not looked at, so any version can be cancelled.
 *
 * Nothing else has to be cleaned: BullMQ's own removal leaves the marker and the priority counter to the next worker.
 * The first write is a ZREM, which Redis runs when it is full too, and then it runs the rest of the script.
 * Only a deferred one is struck out of its lane: that of a paused destination, which nobody wakes, would grow for ever.
 *
 * KEYS 1 job, 2 delayed, 3 prioritized, 4 wait, 5 paused, 6 active, 7 completed, 8 failed, 9 parked, 10 unreadable, 11 lanes.
 * ARGV 1 job id, 2 now (ms), 3 return value of a cancelled task, 4 key prefix of lanes.
 * @returns {code, return value of what had completed before, or ''}
 */
const cancel = `${isLastCopy}
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
if redis.call('ZSCORE', KEYS[7], id) then return {${CANCEL.completed}, redis.call('HGET', job, 'returnvalue') or ''} end
local waited = redis.call('ZREM', KEYS[2], id) + redis.call('ZREM', KEYS[3], id)
if waited == 0 then
  -- The list of running jobs is short, the lists of due ones may be long: look there first.
  if redis.call('LPOS', KEYS[6], id) then return {${CANCEL.beingSent}, ''} end
  waited = redis.call('LREM', KEYS[4], 0, id) + redis.call('LREM', KEYS[5], 0, id)
end
if waited == 0 then return {${CANCEL.beingSent}, ''} end
forget()
local lane = redis.call('HGET', job, 'lane')
if lane then
  redis.call('ZREM', ARGV[4] .. lane, id)
  if redis.call('EXISTS', ARGV[4] .. lane) == 0 then redis.call('ZREM', KEYS[11], lane) end
end
redis.call('DEL', job .. ':lock')
redis.call('HSET', job, 'returnvalue', ARGV[3], 'finishedOn', ARGV[2])
redis.call('ZADD', KEYS[7], ARGV[2], id)
return {${CANCEL.cancelled}, ''}
`;

/**
 * Where a job is now. Changes nothing.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed, 5 active. ARGV 1 job id.
 * @returns {place, log, options, return value}; each '' where there is none
 */
const locate = `
local job, id = KEYS[1], ARGV[1]
local place = ${PLACE.due}
if redis.call('EXISTS', job) == 0 then place = ${PLACE.nowhere}
elseif redis.call('ZSCORE', KEYS[2], id) then place = ${PLACE.delayed}
elseif redis.call('ZSCORE', KEYS[3], id) then place = ${PLACE.completed}
elseif redis.call('ZSCORE', KEYS[4], id) then place = ${PLACE.failed}
elseif redis.call('LPOS', KEYS[5], id) then place = ${PLACE.active} end
local function field(name) return redis.call('HGET', job, name) or '' end
return {place, field('stacktrace'), field('opts'), field('returnvalue')}
`;

/**
 * How many tasks are where: lengths only, no list is read.
 *
 * KEYS 1 delayed, 2 prioritized, 3 wait, 4 paused, 5 active, 6 completed, 7 failed, 8 parked, 9 unreadable.
 * ARGV 1 highest score of delayed that is due, 2 count unreadable ones since (ms).
 * @returns {delayed and not due, due, active, completed, failed, parked, unreadable, lowest score of delayed or ''}
 */
const count = `
local overdue = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
local failed = redis.call('ZCARD', KEYS[7])
return {
  redis.call('ZCARD', KEYS[1]) - overdue,
  overdue + redis.call('ZCARD', KEYS[2]) + redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]),
  redis.call('LLEN', KEYS[5]),
  redis.call('ZCARD', KEYS[6]),
  failed,
  math.min(failed, redis.call('ZCARD', KEYS[8])),
  redis.call('ZCOUNT', KEYS[9], ARGV[2], '+inf'),
  redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or '',
}
`;

export const ownScripts = {
  krsCancel: { numberOfKeys: 11, lua: cancel },
  krsLocate: { numberOfKeys: 5, lua: locate },
  krsCount: { numberOfKeys: 9, lua: count },
  krsFailedPage: { numberOfKeys: 1, lua: failedPage },
  krsRead: { numberOfKeys: 4, lua: read },
  krsPrepareRedrive: { numberOfKeys: 3, lua: prepareRedrive },
  krsSweep: { numberOfKeys: 2, lua: sweep },
} as const;
