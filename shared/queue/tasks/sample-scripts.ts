import { COUNTED_BY_CALLER } from '../engine/counted-by-caller.js';
import { jobField } from '../engine/job-fields.js';
import { waitingStateLua } from './waiting-state.js';

/** What the return value of a cancelled task begins with: see log-codec.ts. */
export const CANCELLED = '{"outcome":"cancelled"';

/**
 * Random members of some sets and lists, together so many. They are drawn in one step, because members that are drawn in several
 * may be the same ones; then small sets could not be counted exactly.
 *
 * The members of a list cannot be drawn at random at a bounded cost: there its head stands for all of it. It holds the tasks of dead workers,
 * and priority tasks that an older version has stored.
 *
 * KEYS sets and lists. ARGV 1 how many.
 * @returns of each key its length and the members that were drawn, in turn
 */
const drawSample = `
local lengths, isList, total = {}, {}, 0
for index, key in ipairs(KEYS) do
  isList[index] = redis.call('TYPE', key).ok == 'list'
  lengths[index] = redis.call(isList[index] and 'LLEN' or 'ZCARD', key)
  total = total + lengths[index]
end
local found = {}
for index, key in ipairs(KEYS) do
  local want, ids = math.min(lengths[index], math.ceil(tonumber(ARGV[1]) * lengths[index] / math.max(1, total))), {}
  if want > 0 then ids = isList[index] and redis.call('LRANGE', key, -want, -1) or redis.call('ZRANDMEMBER', key, want) end
  found[#found + 1] = lengths[index]
  found[#found + 1] = ids
end
return found
`;

/**
 * In which state some waiting tasks are. One sorted set holds scheduled, retrying, deferred and dead-lettering ones, and BullMQ
 * moves them without us, so nothing counts them.
 *
 * KEYS 1 key prefix of jobs. ARGV their ids.
 * @returns {retrying ones, dead-lettering ones}
 */
const countStates = `${waitingStateLua}
local function stateOf(job)
  local seen = redis.pcall('HMGET', job, '${jobField.failure}', '${jobField.attemptsMade}')
  return seen.err and 'scheduled' or waitingStateOf(job, seen[1], seen[2])
end
local counts = {scheduled = 0, retrying = 0, dead_lettering = 0}
for _, id in ipairs(ARGV) do
  local state = stateOf(KEYS[1] .. id)
  counts[state] = counts[state] + 1
end
return {counts.retrying, counts.dead_lettering}
`;

/**
 * How many of some completed tasks were cancelled.
 *
 * KEYS 1 key prefix of jobs. ARGV their ids.
 */
const countCancelled = `
local cancelled = 0
for _, id in ipairs(ARGV) do
  local value = redis.pcall('HGET', KEYS[1] .. id, '${jobField.returnValue}')
  if type(value) == 'string' and string.sub(value, 1, ${CANCELLED.length}) == '${CANCELLED}' then cancelled = cancelled + 1 end
end
return cancelled
`;

export const sampleScripts = {
  krsDrawSample: { numberOfKeys: COUNTED_BY_CALLER, lua: drawSample },
  krsCountStates: { numberOfKeys: 1, lua: countStates },
  krsCountCancelled: { numberOfKeys: 1, lua: countCancelled },
} as const;
