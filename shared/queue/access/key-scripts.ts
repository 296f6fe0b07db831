import { nowMs } from '../engine/now-ms.js';
import { laterVersion } from './later-version-lua.js';

/** Answers of krsKeysChange. The version of the keys follows the first one. */
export const KEY_CHANGE = { done: 0, changed: 1, lastAdmin: 2, tooMany: 3 } as const;

/**
 * Stores, replaces or removes a key, if it is still as the caller has read it. It begins with a removal, which a full Redis takes, and
 * then also the rest: a key that leaked must be revoked also in a full Redis.
 *
 * KEYS 1 keys, 2 version, 3 last uses. ARGV 1 id, 2 JSON that was read, '' for none, 3 new JSON, '' to remove it, 4 '1': not if it is the
 * last admin key, or the last one that never expires: another one that ends would take all of them away with its end. 5 how many keys there may be.
 */
const change = `${nowMs}${laterVersion}
redis.call('HDEL', KEYS[1], '')
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if before ~= ARGV[2] then return {${KEY_CHANGE.changed}} end
if ARGV[4] == '1' then
  local isLast, ends = true, cjson.decode(before).expiresAt ~= cjson.null
  for _, text in ipairs(redis.call('HVALS', KEYS[1])) do
    local key = cjson.decode(text)
    if key.role == 'admin' and key.id ~= ARGV[1] and (key.expiresAt == cjson.null or (ends and key.expiresAt > now)) then isLast = false end
  end
  if isLast then return {${KEY_CHANGE.lastAdmin}} end
end
if before == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return {${KEY_CHANGE.tooMany}} end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return {${KEY_CHANGE.done}, laterVersion(KEYS[2])}
`;

/**
 * All keys, if another version of them is stored than the caller knows; and the version of the sessions that have ended, of which a process has to hear
 * as soon. KEYS 1 keys, 2 version, 3 version of the sessions. ARGV 1 the version that the caller knows, '' for none.
 * @returns {version, version of the sessions}, or {version, version of the sessions, [id, JSON, ...]}
 */
const read = `
local version, sessions = redis.call('GET', KEYS[2]) or '0', redis.call('GET', KEYS[3]) or '0'
if version == ARGV[1] then return {version, sessions} end
return {version, sessions, redis.call('HGETALL', KEYS[1])}
`;

/** Notes when keys were used. KEYS 1 keys, 2 last uses. ARGV id and ms since the epoch in turn. */
const used = `
for at = 1, #ARGV, 2 do
  local before = tonumber(redis.call('HGET', KEYS[2], ARGV[at]) or 0)
  if before < tonumber(ARGV[at + 1]) and redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 then redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
end
return 1
`;

/** KEYS 1 the version that this mark was told. ARGV 1 another one. It begins with a removal for the same reason as `change`. */
const mark = `
local known = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], known and tonumber(known) > tonumber(ARGV[1]) and known or ARGV[1])
return 1
`;

/** KEYS 1 last uses. @returns [id, ms since the epoch, ...] */
const lastUses = `return redis.call('HGETALL', KEYS[1])`;

export const keyScripts = {
  krsKeysRead: { numberOfKeys: 3, lua: read },
  krsKeysChange: { numberOfKeys: 3, lua: change },
  krsVersionMark: { numberOfKeys: 1, lua: mark },
  krsKeysUsed: { numberOfKeys: 2, lua: used },
  krsKeysLastUses: { numberOfKeys: 1, lua: lastUses },
} as const;
