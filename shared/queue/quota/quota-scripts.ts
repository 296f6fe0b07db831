import { clientOfFunction } from '../engine/client-of-job.js';
import { jobField } from '../engine/job-fields.js';
import { isLastCopyFunction } from '../engine/last-copy.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { isClientLua, quotaField } from '../engine/quota-lua.js';

/** Jobs that are looked at in one step: some 0.5 ms. ZSCAN may return somewhat more than it is asked for. */
const JOBS_PER_STEP = 200;
const ASKED_OF_ZSCAN = 100;
/** Fields that are read in one command. */
const CLIENTS_AT_ONCE = 1_000;
/** A pass that finds no further job is the last one, but not the first: a job may have moved to where it had been already. */
const FEWEST_PASSES = 2;
/** Where tasks move faster than they are looked at. */
const MOST_PASSES = 10;
/** Tasks are counted anew so often, ms. Older versions, and people who write to Redis, change tasks without their number. */
const RECOUNT_EVERY_MS = 3_600_000;

/**
 * Says which clients have a quota. A further one makes all tasks be counted anew, since nothing is known of those that it has.
 * Older keys than those that were told of last are passed over.
 *
 * KEYS 1 quota, 2 recount. ARGV 1 version of the access keys, then the clients.
 */
const setClients = `
local known = tonumber(redis.call('HGET', KEYS[1], '${quotaField.version}') or '0')
if known > tonumber(ARGV[1]) then return 0 end
if #ARGV == 1 then return redis.call('DEL', KEYS[1], KEYS[2]) end
local wanted, hasNew = {}, false
for index = 2, #ARGV do
  wanted[ARGV[index]] = true
  if redis.call('HSETNX', KEYS[1], ARGV[index], 0) == 1 then hasNew = true end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if ${isClientLua('field')} and not wanted[field] then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HSET', KEYS[1], '${quotaField.version}', ARGV[1])
if hasNew then
  redis.call('HDEL', KEYS[1], '${quotaField.countedAt}')
  redis.call('DEL', KEYS[2])
end
return 1
`;

/** KEYS 1 quota. ARGV 1 client. @returns its number as a text, or nil where this shard knows of no quota of it */
const read = `return redis.call('HGET', KEYS[1], ARGV[1])`;

/**
 * One step of counting anew. It goes through all places of jobs again and again, until a pass finds no further job. A job counts at the
 * first sight, and bears the mark of this count from then on. What begins and ends meanwhile is counted by the scripts that do it
 * (quota-lua.ts). So the number is exact when it is written, whatever moved meanwhile, unless a job moved before the eyes of each pass.
 *
 * KEYS 1 quota, 2 recount, 3 failed, then the other places: sorted sets, and lists. ARGV 1 key prefix of jobs, 2 how many of KEYS are sorted sets.
 * @returns 1: there is more to do, 0: not now
 */
const recount = `${nowMs}${isLastCopyFunction}${clientOfFunction}
local quotas, recount = KEYS[1], KEYS[2]
if redis.call('EXISTS', quotas) == 0 then
  redis.call('DEL', recount)
  return 0
end
local state = redis.call('HMGET', recount, '${quotaField.mark}', '${quotaField.place}', '${quotaField.cursor}', '${quotaField.pass}', '${quotaField.found}')
local mark, place, cursor, pass, found = state[1], tonumber(state[2]), state[3], tonumber(state[4]), tonumber(state[5])
if not mark then
  if now - tonumber(redis.call('HGET', quotas, '${quotaField.countedAt}') or '0') < ${RECOUNT_EVERY_MS} then return 0 end
  mark, place, cursor, pass, found = string.format('%d', now), 3, '0', 1, 0
end
local ids, behind = {}, '0'
if place <= 2 + tonumber(ARGV[2]) then
  local page = redis.call('ZSCAN', KEYS[place], cursor, 'COUNT', ${ASKED_OF_ZSCAN})
  behind = page[1]
  for index = 1, #page[2], 2 do ids[#ids + 1] = page[2][index] end
else
  ids = redis.call('LRANGE', KEYS[place], cursor, cursor + ${JOBS_PER_STEP - 1})
  if #ids == ${JOBS_PER_STEP} then behind = string.format('%d', cursor + ${JOBS_PER_STEP}) end
end
for _, id in ipairs(ids) do
  local job = ARGV[1] .. id
  local client = clientOf(job)
  if client and redis.call('HEXISTS', quotas, client) == 1 and redis.call('HGET', job, '${jobField.quotaMark}') ~= mark and (place ~= 3 or isLastCopy(job)) then
    redis.call('HSET', job, '${jobField.quotaMark}', mark)
    redis.call('HINCRBY', recount, client, 1)
    found = found + 1
  end
end
if behind == '0' then place = place + 1 end
if place <= #KEYS then
  redis.call('HSET', recount, '${quotaField.mark}', mark, '${quotaField.place}', place, '${quotaField.cursor}', behind, '${quotaField.pass}', pass, '${quotaField.found}', found)
  return 1
end
if pass < ${FEWEST_PASSES} or (found > 0 and pass < ${MOST_PASSES}) then
  redis.call('HSET', recount, '${quotaField.mark}', mark, '${quotaField.place}', 3, '${quotaField.cursor}', '0', '${quotaField.pass}', pass + 1, '${quotaField.found}', 0)
  return 1
end
local clients = {}
for _, field in ipairs(redis.call('HKEYS', quotas)) do
  if ${isClientLua('field')} then clients[#clients + 1] = field end
end
for from = 1, #clients, ${CLIENTS_AT_ONCE} do
  local to = math.min(#clients, from + ${CLIENTS_AT_ONCE - 1})
  local were, are = redis.call('HMGET', quotas, unpack(clients, from, to)), redis.call('HMGET', recount, unpack(clients, from, to))
  for nth = 1, #were do
    if were[nth] ~= (are[nth] or '0') then redis.call('HSET', quotas, clients[from + nth - 1], are[nth] or '0') end
  end
end
redis.call('HSET', quotas, '${quotaField.countedAt}', string.format('%d', now))
redis.call('DEL', recount)
return 0
`;

/** The sorted sets that jobs stand in come first. */
export const RECOUNT_SORTED_SETS = ['failed', 'delayed', 'prioritized'] as const;
export const RECOUNT_LISTS = ['wait', 'paused', 'active'] as const;

export const quotaScripts = {
  krsQuotaClients: { numberOfKeys: 2, lua: setClients },
  krsQuotaRead: { numberOfKeys: 1, lua: read },
  krsQuotaRecount: { numberOfKeys: 2 + RECOUNT_SORTED_SETS.length + RECOUNT_LISTS.length, lua: recount },
} as const satisfies Readonly<Record<string, LuaScript>>;
