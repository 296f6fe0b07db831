/** Lua of limited destinations: how much each worker may send. */

import { nowMs } from '../engine/now-ms.js';

/** A worker that has not asked for this long does not count among those that share a limit. */
const CLAIM_MS = 2_000;
/** Unused paces and places are dropped after this. */
const KEPT_IDLE_MS = 60_000;

/**
 * Late timers must not reduce throughput, so sends that were missed in the last 50 ms may be caught up: 5% more in one
 * second. \`pace\` holds when the next send would be due at an even pace (GCRA). A pace that was written for a slower
 * rate does not delay a faster one.
 */
const limits = `
local max, rate, burst, worker = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local interval = rate > 0 and 1000 / rate or 0
local slack = math.max((burst - 1) * interval, 50)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ${CLAIM_MS})
redis.call('ZADD', KEYS[3], now, worker)
redis.call('PEXPIRE', KEYS[3], ${KEPT_IDLE_MS})
local claimants = redis.call('ZCARD', KEYS[3])
local function keepPace(pace) redis.call('SET', KEYS[2], string.format('%.3f', pace), 'PX', math.ceil(math.max(pace - now, 0) + slack) + ${KEPT_IDLE_MS}) end
local pace = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now - slack)
if rate > 0 and pace > now + interval then
  pace = now + interval
  keepPace(pace)
end
`;

/**
 * Lets as many of the given jobs start as the limits of the destination allow now.
 *
 * KEYS 1 leases, 2 pace, 3 claims.
 * ARGV 1 most at once (-1 = any), 2 rate per second (0 = any), 3 burst, 4 worker, 5 lease (ms), 6... job ids.
 * @returns {how many may start, ms until the next one may (-1 = when a place gets free), places left (-1 = any), workers that ask}
 */
const acquire = `${nowMs}${limits}
local lease, granted, wait = tonumber(ARGV[5]), 0, 0
local taken = redis.call('ZCARD', KEYS[1])
for index = 6, #ARGV do
  local isMine = max >= 0 and redis.call('ZSCORE', KEYS[1], ARGV[index])
  if max >= 0 and not isMine and taken >= max then wait = -1 break end
  if rate > 0 then
    if pace > now then wait = math.ceil(pace - now) break end
    pace = pace + interval
  end
  if max >= 0 then
    redis.call('ZADD', KEYS[1], now + lease, ARGV[index])
    if not isMine then taken = taken + 1 end
  end
  granted = granted + 1
end
if granted > 0 then
  if rate > 0 then keepPace(pace) end
  if max >= 0 then redis.call('PEXPIRE', KEYS[1], lease + ${KEPT_IDLE_MS}) end
end
return {granted, wait, max >= 0 and math.max(0, max - taken) or -1, claimants}
`;

/**
 * Answers like acquire, but takes nothing.
 *
 * KEYS and ARGV 1..4 as in acquire, ARGV 5 how far ahead to look (ms).
 * @returns {sends that may start until then (-1 = any), workers that ask}
 */
const look = `${nowMs}${limits}
local free = -1
if max >= 0 then free = math.max(0, max - redis.call('ZCARD', KEYS[1])) end
if rate > 0 then
  local soon = math.max(0, math.floor((now + tonumber(ARGV[5]) - pace) / interval) + 1)
  if free < 0 or soon < free then free = soon end
end
return {free, claimants}
`;

/** KEYS 1 leases. ARGV 1 job id. */
const release = `return redis.call('ZREM', KEYS[1], ARGV[1])`;

export const limitScripts = {
  krsFlowAcquire: { numberOfKeys: 3, lua: acquire },
  krsFlowRelease: { numberOfKeys: 1, lua: release },
  krsFlowLook: { numberOfKeys: 3, lua: look },
} as const;
