import { nowMs } from '../engine/now-ms.js';
import { readVersionedHash } from '../versioned-hash-lua.js';

export const CREDENTIALS_CHANGE = { done: 0, changed: 1, tooMany: 2 } as const;

/**
 * Stores, replaces or removes what is stored for a destination, if it is still as it was read. The version follows the clock, so a store
 * that was lost and made anew has other versions.
 * KEYS 1 credentials, 2 version. ARGV 1 key, 2 JSON that was read, '' for none, 3 new JSON, '' to remove it, 4 how many destinations may have some.
 */
const change = `${nowMs}
redis.call('HDEL', KEYS[1], '')
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if before ~= ARGV[2] then return ${CREDENTIALS_CHANGE.changed} end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if before == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return ${CREDENTIALS_CHANGE.tooMany} end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
local known = tonumber(redis.call('GET', KEYS[2]) or 0)
redis.call('SET', KEYS[2], string.format('%.0f', math.max(known + 1, now * 1000)))
return ${CREDENTIALS_CHANGE.done}
`;

/**
 * The token of a client, unless it is the one that is not wanted any more: then the right to ask for another one, which lapses.
 * KEYS 1 token, 2 lock. ARGV 1 what is not wanted, '' for nothing, 2 name of the asking process, 3 for how long it may ask, ms.
 * @returns what is stored; 1: ask for another one; 0: another process asks
 */
const takeToken = `
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= '' and stored ~= ARGV[1] then return stored end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return 0
`;

/**
 * Stores a token, if the right to ask for it has not lapsed, and gives that right back.
 * KEYS 1 token, 2 lock. ARGV 1 name of the process, 2 token, '' to store none, 3 how long it is kept, ms.
 */
const storeToken = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`;

/** Keeps the right to ask for longer. KEYS 1 lock. ARGV 1 name of the process, 2 ms. */
const keepAsking = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`;

/** What is stored for one destination. KEYS 1 credentials. ARGV 1 key. @returns JSON, or false */
const find = `return redis.call('HGET', KEYS[1], ARGV[1])`;

export const credentialScripts = {
  krsCredentialsRead: { numberOfKeys: 2, lua: readVersionedHash },
  krsCredentialsFind: { numberOfKeys: 1, lua: find },
  krsCredentialsChange: { numberOfKeys: 2, lua: change },
  krsTokenTake: { numberOfKeys: 2, lua: takeToken },
  krsTokenStore: { numberOfKeys: 2, lua: storeToken },
  krsTokenKeepAsking: { numberOfKeys: 1, lua: keepAsking },
} as const;
