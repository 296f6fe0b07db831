import { jobField } from '../engine/job-fields.js';
import { waitingStateLua } from './waiting-state.js';

/** What the return value of a cancelled task begins with: see log-codec.ts. */
export const CANCELLED = '{"outcome":"cancelled"';

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
const sampleWaiting = `${waitingStateLua}
local function stateOf(job)
  local seen = redis.pcall('HMGET', job, '${jobField.failure}', '${jobField.attemptsMade}')
  return seen.err and 'scheduled' or waitingStateOf(job, seen[1], seen[2])
end
local lengths = {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3])}
local total = math.max(1, lengths[1] + lengths[2] + lengths[3])
local found = {}
for index = 1, 3 do
  local want = math.min(lengths[index], math.ceil(tonumber(ARGV[1]) * lengths[index] / total))
  local ids = {}
  if want > 0 then ids = index == 3 and redis.call('LRANGE', KEYS[3], -want, -1) or redis.call('ZRANDMEMBER', KEYS[index], want) end
  local counts = {scheduled = 0, retrying = 0, dead_lettering = 0}
  for _, id in ipairs(ids) do
    local state = stateOf(ARGV[2] .. id)
    counts[state] = counts[state] + 1
  end
  for _, number in ipairs({lengths[index], #ids, counts.retrying, counts.dead_lettering}) do found[#found + 1] = number end
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
