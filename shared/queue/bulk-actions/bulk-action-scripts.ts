import { AUDIT_KEYS, auditLua } from '../audit/audit-scripts.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/*
 * Lua of what an action is, without its numbers. On a cluster these keys share one slot.
 *
 * The hash has `id`, `digest`, `asked` (JSON that never changes), `state`, `reason` (JSON or ''), `rate` ('' = none), `epoch`, `matchedAt`,
 * `owner` (id of the key that asked for it, '' for none; an older version wrote none), `doneAt`, `settledAt`, `resumedAt` (ms or ''), `matched` (how many tasks were found), and `paceAt`, when the next task may be started.
 * `epoch` begins with the time, so two actions that have one id, one after the other, share none: the second may be asked for when the first was
 * refused. `entry` and `entryEnd`: the entry of the audit that its creation has begun, and what completes it but for the count (JSON).
 */

/** So much of a rate may be made up for: a worker that was late must not make the whole action late. It is 4 % of 10 s. */
const CATCH_UP_MS = 400;

/** Answers of krsBulkCreate. */
export const BULK_CREATED = { created: 1, same: 2, other: 3, tooMany: 4, tooManyOfOwner: 5 } as const;

/**
 * KEYS 1 action, 2 index, 3 live, 4 ids. ARGV 1 id, 2 digest of the body, 3 asked, 4 rate or '', 5 created (ms), 6 and 7 entry of the audit and
 * its end, 8 key prefix of actions, 9 how many live ones there may be, 10 whose it is, '' for all who have no key, 11 how many live ones one
 * owner may have, 12... chunks of ids.
 * @returns BULK_CREATED
 */
const create = `
local known = redis.call('HGET', KEYS[1], 'digest')
if known then return known == ARGV[2] and ${BULK_CREATED.same} or ${BULK_CREATED.other} end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[9]) then return ${BULK_CREATED.tooMany} end
if ARGV[10] ~= '' then
  local own = 0
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    if redis.call('HGET', ARGV[8] .. id, 'owner') == ARGV[10] then own = own + 1 end
  end
  if own >= tonumber(ARGV[11]) then return ${BULK_CREATED.tooManyOfOwner} end
end
local time = redis.call('TIME')
local epoch = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'digest', ARGV[2], 'asked', ARGV[3], 'state', 'matching', 'reason', '', 'rate', ARGV[4], 'epoch', epoch, 'entry', ARGV[6], 'entryEnd', ARGV[7], 'owner', ARGV[10])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
redis.call('DEL', KEYS[4])
for index = 12, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[index]) end
return ${BULK_CREATED.created}
`;

/**
 * Changes the state, if it is one of those named, and the action has not changed since the caller read it. What the audit has to say of it is
 * written in the same step, so no change is without its entry, whatever is killed.
 *
 * The entry of its creation is completed when the number of its tasks is known, or when it ends before that. The script begins with a
 * removal, so that a full Redis takes a pause and a cancellation.
 *
 * KEYS 1 action, then those of the audit. ARGV 1 states, such as \`|matching|running|\`, 2 the new one, \`=\` for the same, or \`resumed\` for
 * the one before the pause, 3 why (JSON or ''), 4 epoch or '' for any, 5 how many tasks it is about for the entry of its creation, '' where that
 * is not known, 6 '1' when it ends, 7 to 14 what addAuditEntry takes, 7 being '' for no entry, 15 digest of the action that is meant, '' for any,
 * then names and values of further fields; the value \`now\` is the time.
 * @returns {1 when it was changed, fields and values in turn}; nothing when there is none
 */
const change = `${nowMs}${auditLua}
local auditKeys = {}
for index = 1, ${AUDIT_KEYS} do auditKeys[index] = KEYS[index + 1] end
redis.call('ZREM', auditKeys[1], '')
local state = redis.call('HGET', KEYS[1], 'state')
if not state or (ARGV[15] ~= '' and redis.call('HGET', KEYS[1], 'digest') ~= ARGV[15]) then return {0} end
local isCurrent = ARGV[4] == '' or redis.call('HGET', KEYS[1], 'epoch') == ARGV[4]
if not isCurrent or not string.find(ARGV[1], '|' .. state .. '|', 1, true) then return {0, redis.call('HGETALL', KEYS[1])} end
local to = ARGV[2]
if to == '=' then to = state end
if to == 'resumed' then to = redis.call('HEXISTS', KEYS[1], 'matchedAt') == 1 and 'running' or 'matching' end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'state', to)
if ARGV[2] ~= '=' then redis.call('HSET', KEYS[1], 'reason', ARGV[3]) end
for index = 16, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1] == 'now' and string.format('%d', now) or ARGV[index + 1])
end
redis.call('HDEL', KEYS[1], 'paceAt')
if ARGV[5] ~= '' or ARGV[6] == '1' then
  local entry = redis.call('HMGET', KEYS[1], 'entry', 'entryEnd')
  if entry[1] and entry[1] ~= '' then
    completeAuditEntry(auditKeys[2], auditKeys[3], entry[1], '{"count":' .. (ARGV[5] == '' and '0' or ARGV[5]) .. ',' .. string.sub(entry[2], 2))
  end
  redis.call('HDEL', KEYS[1], 'entry', 'entryEnd')
end
if ARGV[7] ~= '' then addAuditEntry(auditKeys, ARGV[7], ARGV[8], ARGV[9], ARGV[10] == '1', ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])) end
return {1, redis.call('HGETALL', KEYS[1])}
`;

/**
 * Its numbers do not change any more.
 * KEYS 1 action, 2 live, 3 ids. ARGV 1 id, 2 how long it is kept (ms), 3 its epoch: another action may have taken its id since.
 */
const settle = `${nowMs}
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[3] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSETNX', KEYS[1], 'settledAt', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`;

/** KEYS 1 action, 2 index, 3 live, 4 ids. ARGV 1 id. */
const remove = `
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('UNLINK', KEYS[1], KEYS[4])
`;

/** KEYS 1 action. @returns fields and values in turn */
const read = `return redis.call('HGETALL', KEYS[1])`;

/** KEYS 1 ids. ARGV 1 number of the chunk, from 0. @returns it, or nil */
const givenIds = `return redis.call('LINDEX', KEYS[1], ARGV[1])`;

/**
 * Those live ones that are in one of the states named, the oldest first. Of more than so many, each turn gives the next ones, so none of
 * them has to wait for the end of the others.
 * KEYS 1 live. ARGV 1 key prefix of actions, 2 how many, 3 states, such as \`|matching|running|\`, 4 number of the turn, from 0.
 * @returns fields and values of each, in turn
 */
const live = `
local ids, found, most = {}, {}, tonumber(ARGV[2])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local state = redis.call('HGET', ARGV[1] .. id, 'state')
  if not state then
    redis.call('ZREM', KEYS[1], id)
  elseif string.find(ARGV[3], '|' .. state .. '|', 1, true) then
    ids[#ids + 1] = id
  end
end
local first = #ids > most and (ARGV[4] * most) % #ids or 0
for nth = 0, math.min(most, #ids) - 1 do found[nth + 1] = redis.call('HGETALL', ARGV[1] .. ids[(first + nth) % #ids + 1]) end
return found
`;

/**
 * A page of all actions, the newest first.
 * KEYS 1 index. ARGV 1 key prefix of actions, 2 how many, 3 and 4 created (ms) and id of the last one before, or ''.
 * @returns of each: created (ms), then its fields and values in turn
 */
const list = `
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'REV', 'WITHSCORES')
local found, after = {}, tonumber(ARGV[3])
for index = 1, #all, 2 do
  local id, at = all[index], tonumber(all[index + 1])
  if #found >= tonumber(ARGV[2]) then break end
  if not after or at < after or (at == after and id < ARGV[4]) then
    local action = redis.call('HGETALL', ARGV[1] .. id)
    if #action > 0 then found[#found + 1] = {all[index + 1], action} end
  end
end
return found
`;

/**
 * Those that have ended, beyond so many: the oldest of the owner that has most, so no owner takes the place of another one that has fewer. Those
 * whose time is over go first.
 * KEYS 1 index, 2 live. ARGV 1 how many stay, 2 key prefix of actions. @returns ids
 */
const surplus = `
local found, surplus = {}, redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
if surplus <= 0 then return found end
local owners, ofOwner = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local seen = redis.call('HMGET', ARGV[2] .. id, 'id', 'owner')
  local isLive = redis.call('ZSCORE', KEYS[2], id)
  if not seen[1] and not isLive then
    if #found < surplus then found[#found + 1] = id end
  else
    local name = seen[2] or ''
    local own = ofOwner[name]
    if not own then
      own = {kept = 0, ended = {}, next = 1}
      ofOwner[name] = own
      owners[#owners + 1] = own
    end
    own.kept = own.kept + 1
    if not isLive then own.ended[#own.ended + 1] = id end
  end
end
while #found < surplus do
  local most
  for _, own in ipairs(owners) do
    if own.ended[own.next] and (not most or own.kept > most.kept) then most = own end
  end
  if not most then break end
  found[#found + 1] = most.ended[most.next]
  most.next = most.next + 1
  most.kept = most.kept - 1
end
return found
`;

/**
 * Lua: `paceShare(now, rate, paceAt, wanted, unused)` is the whole rule of a rate. Tasks start at even distances, and what was given and not
 * used comes back. After a time without a call no more is made up for than CATCH_UP_MS.
 *
 * `now` and `paceAt` in ms, `paceAt` nil at first; `rate` in tasks a second. It gives how many tasks may start now, and the next `paceAt`.
 */
export const paceShareLua = `
local function paceShare(now, rate, paceAt, wanted, unused)
  local interval = 1000 / rate
  local at = math.max((paceAt or now) - unused * interval, now - ${CATCH_UP_MS})
  local granted = 0
  if at <= now then granted = math.min(wanted, math.floor((now - at) / interval) + 1) end
  return granted, at + granted * interval
end
`;

/**
 * Gives out a share of the rate. It begins with a removal, so that a full Redis takes it: a cancellation goes on there.
 * KEYS 1 action. ARGV 1 how many are wanted, 2 how many come back.
 * @returns {how many may be started now, ms until the next one}
 */
const pace = `${paceShareLua}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local seen = redis.call('HMGET', KEYS[1], 'rate', 'paceAt')
local rate = tonumber(seen[1] or '')
if not rate then return {tonumber(ARGV[1]), 0} end
redis.call('HDEL', KEYS[1], '')
local granted, at = paceShare(now, rate, tonumber(seen[2] or ''), tonumber(ARGV[1]), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'paceAt', string.format('%.3f', at))
return {granted, math.ceil(math.max(0, at - now))}
`;

export const bulkActionScripts = {
  krsBulkCreate: { numberOfKeys: 4, lua: create },
  krsBulkChange: { numberOfKeys: 1 + AUDIT_KEYS, lua: change },
  krsBulkSettle: { numberOfKeys: 3, lua: settle },
  krsBulkRemove: { numberOfKeys: 4, lua: remove },
  krsBulkRead: { numberOfKeys: 1, lua: read },
  krsBulkLive: { numberOfKeys: 1, lua: live },
  krsBulkList: { numberOfKeys: 1, lua: list },
  krsBulkSurplus: { numberOfKeys: 2, lua: surplus },
  krsBulkGivenIds: { numberOfKeys: 1, lua: givenIds },
  krsBulkPace: { numberOfKeys: 1, lua: pace },
} as const satisfies Readonly<Record<string, LuaScript>>;
