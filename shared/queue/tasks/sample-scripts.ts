import { jobField } from '../engine/job-fields.js';
import { readFailureFieldsLua } from '../search/failure-fields.js';

/** What the return value of a cancelled task begins with: see log-codec.ts. */
const CANCELLED = '{"outcome":"cancelled"';

/**
 * In which state random waiting tasks are. One sorted set holds scheduled, retrying, deferred and dead-lettering ones, and BullMQ
 * moves them without us, so nothing counts them.
 *
 * The members of a list cannot be drawn at random at a bounded cost: there its head stands for all of it. It holds priority tasks and
 * those of dead workers.
 *
 * KEYS 1 delayed, 2 prioritized, 3 wait. ARGV 1 how many to look at, 2 key prefix of jobs.
 * @returns of each key: its length, the jobs that were looked at, and how many of them are retrying and dead-lettering
 */
const sampleWaiting = `${readFailureFieldsLua}
-- An older version writes no failure fields, but always a log. What a receiver said stands in it with its quotes escaped once more.
local function stateByLog(job)
  local log = redis.call('HGET', job, '${jobField.log}') or ''
  local phase, next = string.match(log, [[.*\\"phase\\":\\"(%a+)\\"]]), string.match(log, [[.*\\"next\\":\\"([%a_]+)\\"]])
  if phase == 'dead' or next == 'dead_letter' then return 'dead' end
  return next and 'retrying' or 'scheduled'
end
local function stateOf(job)
  local seen = redis.pcall('HMGET', job, '${jobField.failure}', '${jobField.attemptsMade}')
  if seen.err then return 'scheduled' end
  local phase = phaseOf(seen[1], seen[2])
  if not phase then return stateByLog(job) end
  if phase == 'dead' then return 'dead' end
  return seen[1] and (sendsOf(seen[1]) or 0) > 0 and 'retrying' or 'scheduled'
end
local lengths = {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3])}
local total = math.max(1, lengths[1] + lengths[2] + lengths[3])
local found = {}
for index = 1, 3 do
  local want = math.min(lengths[index], math.ceil(tonumber(ARGV[1]) * lengths[index] / total))
  local ids = {}
  if want > 0 then ids = index == 3 and redis.call('LRANGE', KEYS[3], -want, -1) or redis.call('ZRANDMEMBER', KEYS[index], want) end
  local counts = {scheduled = 0, retrying = 0, dead = 0}
  for _, id in ipairs(ids) do
    local state = stateOf(ARGV[2] .. id)
    counts[state] = counts[state] + 1
  end
  for _, number in ipairs({lengths[index], #ids, counts.retrying, counts.dead}) do found[#found + 1] = number end
end
return found
`;

/**
 * How many of random completed tasks were cancelled.
 *
 * KEYS 1 completed. ARGV 1 how many to look at, 2 key prefix of jobs.
 * @returns {length of the set, jobs that were looked at, cancelled ones among them}
 */
const sampleCompleted = `
local ids = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1])
local cancelled = 0
for _, id in ipairs(ids) do
  local value = redis.pcall('HGET', ARGV[2] .. id, '${jobField.returnValue}')
  if type(value) == 'string' and string.sub(value, 1, ${CANCELLED.length}) == '${CANCELLED}' then cancelled = cancelled + 1 end
end
return {redis.call('ZCARD', KEYS[1]), #ids, cancelled}
`;

export const sampleScripts = {
  krsSampleWaiting: { numberOfKeys: 3, lua: sampleWaiting },
  krsSampleCompleted: { numberOfKeys: 1, lua: sampleCompleted },
} as const;
