import { SCORE_PER_MS } from '../engine/due-score.js';
import type { LuaScript } from '../engine/lua-script.js';
import { jobDueAtLua } from '../search/job-due.js';

/**
 * Counts the tasks in each place, and looks for the oldest that is due and in no waiting list (held-script.ts looks there).
 * Only lengths and the heads of queues are read, no list.
 *
 * The next due job of each queue is not always the one that has been due for longest: tasks of a dead worker come first. But
 * none behind it has been due for much longer, because jobs enter in the order in which they are due.
 *
 * KEYS 1 delayed, 2 prioritized, 3 wait, 4 paused, 5 active, 6 completed, 7 failed, 8 parked, 9 unreadable.
 * ARGV 1 highest score of delayed that is due, 2 count unreadable ones since (ms), 3 key prefix of jobs.
 * @returns {delayed and not due, due, active, completed, failed, parked, unreadable, when the oldest was due (ms) or 0}
 */
export const countScript: LuaScript = {
  numberOfKeys: 9,
  lua: `${jobDueAtLua}
local oldest = math.huge
local function look(id, due)
  if not id then return end
  due = math.min(due, dueAtOf(ARGV[3] .. id) or math.huge)
  oldest = math.min(oldest, due)
end
local overdue = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
if overdue > 0 then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  look(first[1], math.floor(tonumber(first[2]) / ${SCORE_PER_MS}))
end
look(redis.call('ZRANGE', KEYS[2], 0, 0)[1], math.huge)
look(redis.call('LINDEX', KEYS[3], -1), math.huge)
look(redis.call('LINDEX', KEYS[4], -1), math.huge)
local failed = redis.call('ZCARD', KEYS[7])
return {
  redis.call('ZCARD', KEYS[1]) - overdue,
  overdue + redis.call('ZCARD', KEYS[2]) + redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]),
  redis.call('LLEN', KEYS[5]),
  redis.call('ZCARD', KEYS[6]),
  failed,
  math.min(failed, redis.call('ZCARD', KEYS[8])),
  redis.call('ZCOUNT', KEYS[9], ARGV[2], '+inf'),
  oldest < math.huge and oldest or 0,
}
`,
};
