import { nowMs } from '../engine/now-ms.js';

/**
 * Lua of audit-log.ts. Times are Redis' own, because the clocks of the processes may differ.
 *
 * Each script begins with a removal. A full Redis takes a removal, and then also runs the rest of the script: in a full Redis
 * a person must be able to cancel and delete tasks, and no change is made without an entry.
 */

/** The newest entries of one actor, which are kept whatever the others write. */
const ENTRIES_OF_ACTOR = 1_000;
/** Any caller can claim a name, so only the names that were claimed last keep entries of their own. */
const CLAIMED_NAMES = 50;
/** So many old entries leave with each new one. It is more than one, because a claimed name can lose all of its own at once. */
const LEAVE_AT_ONCE = 100;

/** log, beginnings, ends, loose entries, claimed names, salt, what the key of an actor's entries begins with */
export const AUDIT_KEYS = 7;

/**
 * Lua, for a script that makes a change in the slot of the audit and writes its entry in the same step. It needs \`time\` and \`now\`.
 *
 * - \`addAuditEntry(keys, beginning, ending, actor, isClaim, salt, nth, of, kept)\` writes an entry, and removes those that are neither among the newest
 *   \`kept\` of all nor among the newest of their actor. Texts are JSON, \`ending\` is '' when there is none yet; \`salt\` counts if there is none, and '' is none.
 *   Ids leave \`nth\` when they are divided by \`of\`: two logs give no number twice. It gives {id, salt}.
 * - \`completeAuditEntry(beginnings, ends, id, ending)\` gives 0 when the entry is gone.
 *
 * \`keys\` are those of AUDIT_KEYS, in that order.
 */
export const auditLua = `
local function addAuditEntry(keys, beginning, ending, actor, isClaim, salt, nth, of, kept)
  redis.call('ZREM', keys[1], '')
  local newest = redis.call('ZRANGE', keys[1], 0, 0, 'REV', 'WITHSCORES')[2]
  -- Ids follow the clock, and go on rising when it is set back.
  local number = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), newest and tonumber(newest) + 1 or 0)
  local id = string.format('%.0f', number + math.fmod(nth + of - math.fmod(number, of), of))
  local stamp = '{"at":' .. string.format('%.0f', now) .. ','
  redis.call('ZADD', keys[1], id, id)
  redis.call('HSET', keys[2], id, stamp .. string.sub(beginning, 2))
  if ending ~= '' then redis.call('HSET', keys[3], id, stamp .. string.sub(ending, 2)) end
  redis.call('ZADD', keys[7] .. actor, id, id)
  local function loosen(name, count)
    local oldest = redis.call('ZPOPMIN', keys[7] .. name, count)
    for at = 1, #oldest, 2 do redis.call('ZADD', keys[4], oldest[at], oldest[at]) end
  end
  if redis.call('ZCARD', keys[7] .. actor) > ${ENTRIES_OF_ACTOR} then loosen(actor, 1) end
  if isClaim then
    redis.call('ZADD', keys[5], id, actor)
    if redis.call('ZCARD', keys[5]) > ${CLAIMED_NAMES} then loosen(redis.call('ZPOPMIN', keys[5])[1], ${ENTRIES_OF_ACTOR}) end
  end
  local last = redis.call('ZRANGE', keys[1], kept - 1, kept - 1, 'REV')[1]
  if last then
    for _, old in ipairs(redis.call('ZRANGE', keys[4], '-inf', '(' .. last, 'BYSCORE', 'LIMIT', 0, ${LEAVE_AT_ONCE})) do
      redis.call('ZREM', keys[1], old)
      redis.call('ZREM', keys[4], old)
      redis.call('HDEL', keys[2], old)
      redis.call('HDEL', keys[3], old)
    end
  end
  if salt ~= '' then redis.call('SET', keys[6], salt, 'NX') end
  return {id, redis.call('GET', keys[6]) or ''}
end
local function completeAuditEntry(beginnings, ends, id, ending)
  redis.call('HDEL', ends, id)
  if redis.call('HEXISTS', beginnings, id) == 0 then return 0 end
  redis.call('HSET', ends, id, '{"at":' .. string.format('%.0f', now) .. ',' .. string.sub(ending, 2))
  return 1
end
`;

/**
 * KEYS those of AUDIT_KEYS. ARGV 1 beginning (JSON), 2 end (JSON, '' = there is none yet), 3 actor, 4 '1' when its name is a claim, 5 salt
 * if there is none ('' = it is not known), 6 and 7 which numbers the log gives, 8 how many entries it keeps.
 * @returns {id, salt ('' = there is none)}
 */
const add = `${nowMs}${auditLua}
return addAuditEntry(KEYS, ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]))
`;

/** KEYS 1 log, 2 salt. ARGV 1 salt if there is none. @returns the one that counts */
const salt = `
redis.call('ZREM', KEYS[1], '')
redis.call('SET', KEYS[2], ARGV[1], 'NX')
return redis.call('GET', KEYS[2])
`;

/**
 * KEYS 1 beginnings, 2 ends. ARGV 1 id, 2 end (JSON).
 * @returns 0: the entry is gone
 */
const complete = `${nowMs}${auditLua}
return completeAuditEntry(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
`;

/** Removes an entry whose change turned out to be none. KEYS 1 log, 2 beginnings, 3 ends, 4 loose entries, 5 entries of its actor. ARGV 1 id. */
const discard = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
`;

/**
 * KEYS 1 log, 2 beginnings, 3 ends. ARGV 1 newest id to read ('+inf', or '(' and an id), 2 oldest, 3 how many.
 * @returns {id, beginning, end ('' = there is none), ...}: the newest first
 */
const read = `
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[3])) do
  local beginning = redis.call('HGET', KEYS[2], id)
  if beginning then
    found[#found + 1] = id
    found[#found + 1] = beginning
    found[#found + 1] = redis.call('HGET', KEYS[3], id) or ''
  end
end
return found
`;

export const auditScripts = {
  krsAuditAdd: { numberOfKeys: AUDIT_KEYS, lua: add },
  krsAuditComplete: { numberOfKeys: 2, lua: complete },
  krsAuditDiscard: { numberOfKeys: 5, lua: discard },
  krsAuditRead: { numberOfKeys: 3, lua: read },
  krsAuditSalt: { numberOfKeys: 2, lua: salt },
} as const;
