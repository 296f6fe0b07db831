import { DUE_FIELD } from '../../domain/stats/activity.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * Lua of activity-store.ts. Times are Redis' own, because the clocks of the processes may differ. The keys of buckets are made
 * from a time, so only what they begin with is among the keys.
 */

/** GET /history goes back a day; the first minute of it has to be whole. */
const MINUTE_KEPT_S = 86_400 + 120;
/** The rates of GET /status go back a minute. */
const SECOND_KEPT_S = 90;
/** One process of the fleet counts due tasks about once a second. */
const DUE_EVERY_MS = 950;

const buckets = `${nowMs}
local second = tonumber(time[1])
local function keyOf(prefix, at) return prefix .. string.format('%d', at) end
local minuteKey, secondKey = keyOf(KEYS[1], second - second % 60), keyOf(KEYS[2], second)
`;

/**
 * KEYS 1 what a minute's key begins with, 2 a second's, 3 turn to count due tasks. ARGV names and counts in turn.
 * @returns {1 when the caller has to count the due tasks, now (ms)}
 */
const add = `${buckets}
for at = 1, #ARGV, 2 do
  redis.call('HINCRBY', minuteKey, ARGV[at], ARGV[at + 1])
  if ARGV[at + 1] ~= '0' then redis.call('HINCRBY', secondKey, ARGV[at], ARGV[at + 1]) end
end
redis.call('EXPIRE', minuteKey, ${MINUTE_KEPT_S})
redis.call('EXPIRE', secondKey, ${SECOND_KEPT_S})
return {redis.call('SET', KEYS[3], '1', 'NX', 'PX', ${DUE_EVERY_MS}) and 1 or 0, now}
`;

/** KEYS 1 what a minute's key begins with, 2 a second's. ARGV 1 due tasks now. */
const setDue = `${buckets}
for _, bucket in ipairs({{minuteKey, ${MINUTE_KEPT_S}}, {secondKey, ${SECOND_KEPT_S}}}) do
  redis.call('HSET', bucket[1], '${DUE_FIELD}', ARGV[1])
  redis.call('EXPIRE', bucket[1], bucket[2])
end
return 1
`;

/**
 * KEYS 1 what a bucket's key begins with. ARGV 1 length of a bucket (s), 2 beginning of the newest one to read (s), or 0 for
 * the present one, 3 how many.
 * @returns {now (ms), beginning of a bucket (s), its fields, ...}: the newest first, without those that are not there
 */
const read = `${nowMs}
local step, newest = tonumber(ARGV[1]), tonumber(ARGV[2])
if newest == 0 then newest = tonumber(time[1]) - tonumber(time[1]) % step end
local found = {now}
for nth = 0, tonumber(ARGV[3]) - 1 do
  local fields = redis.call('HGETALL', KEYS[1] .. string.format('%d', newest - nth * step))
  if #fields > 0 then
    found[#found + 1] = newest - nth * step
    found[#found + 1] = fields
  end
end
return found
`;

export const activityScripts = {
  krsActivityAdd: { numberOfKeys: 3, lua: add },
  krsActivityDue: { numberOfKeys: 2, lua: setDue },
  krsActivityRead: { numberOfKeys: 1, lua: read },
} as const;
