import { nowMs } from '../engine/now-ms.js';
import { laterVersion } from './later-version-lua.js';

/** How a session stands, in the answer of krsSessionLook. */
export const SESSION_STATE = { open: 'open', none: 'none', idle: 'idle', over: 'over' } as const;

/*
 * A session is a text in the hash of its key: SHA-256 of the key's secret at that time, when it was started and when it was used last, both in
 * ms since the epoch, divided by spaces. The hash of a key lives as long as its newest session may. One that has ended by idleness stays in
 * it until then, so that the person can be told why.
 */
const parse = `
local function parse(text)
  local secretHash, startedAt, usedAt = string.match(text, '^(%x+) (%d+) (%d+)$')
  return secretHash, tonumber(startedAt or 0), tonumber(usedAt or 0)
end
local function print(secretHash, startedAt, usedAt)
  return secretHash .. ' ' .. string.format('%.0f', startedAt) .. ' ' .. string.format('%.0f', usedAt)
end
`;

/**
 * Starts a session. It begins with a removal, so a full Redis takes it, too: a person has to be able to sign in when something is wrong.
 * KEYS 1 the sessions of the key, 2 version. ARGV 1 hash of the session's secret, 2 hash of the key's secret, 3 lifetime in ms, 4 hash of a session
 * that this one replaces, '' for none, 5 how many sessions of a key there may be: those that were idle for longest make room.
 * @returns the version since then, or '' where no other session has ended
 */
const start = `${nowMs}${parse}${laterVersion}
local ended = redis.call('HDEL', KEYS[1], ARGV[4])
local all = redis.call('HGETALL', KEYS[1])
local open = {}
for at = 1, #all, 2 do
  local _, startedAt, usedAt = parse(all[at + 1])
  if now >= startedAt + tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], all[at])
  else
    open[#open + 1] = { all[at], usedAt }
  end
end
table.sort(open, function(one, other) return one[2] < other[2] end)
for index = 1, #open - tonumber(ARGV[5]) + 1 do ended = ended + redis.call('HDEL', KEYS[1], open[index][1]) end
redis.call('HSET', KEYS[1], ARGV[1], print(ARGV[2], now, now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return ended > 0 and laterVersion(KEYS[2]) or ''
`;

/**
 * How a session stands. One that is open is noted as used, to a twentieth of its idle time. Where Redis takes no writes it is told all the same:
 * people look at the page just then. Its idle time goes on meanwhile.
 * KEYS 1 the sessions of the key, 2 version. ARGV 1 hash of the session's secret, 2 idle time in ms, 3 lifetime in ms, 4 '1': somebody uses it.
 * @returns {state, version, hash of the key's secret, when it was started, for how many ms it stays open without a use}; the last three only of one that is open
 */
const look = `${nowMs}${parse}
local version = redis.call('GET', KEYS[2]) or '0'
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text then return {'${SESSION_STATE.none}', version} end
local secretHash, startedAt, usedAt = parse(text)
if secretHash == nil then return {'${SESSION_STATE.none}', version} end
local idleMs, endsAt = tonumber(ARGV[2]), startedAt + tonumber(ARGV[3])
if now >= endsAt then return {'${SESSION_STATE.over}', version} end
if now >= usedAt + idleMs then return {'${SESSION_STATE.idle}', version} end
if ARGV[4] == '1' and now - usedAt >= idleMs / 20 then
  redis.pcall('HDEL', KEYS[1], '')
  if type(redis.pcall('HSET', KEYS[1], ARGV[1], print(secretHash, startedAt, now))) == 'number' then usedAt = now end
end
return {'${SESSION_STATE.open}', version, secretHash, string.format('%.0f', startedAt), string.format('%.0f', math.min(endsAt, usedAt + idleMs) - now)}
`;

/**
 * Ends a session. It begins with a removal for the same reason as `start`.
 * KEYS 1 the sessions of the key, 2 version. ARGV 1 hash of the session's secret.
 * @returns {1: it was there, version}
 */
const end = `${nowMs}${laterVersion}
local ended = redis.call('HDEL', KEYS[1], ARGV[1])
return {ended, ended > 0 and laterVersion(KEYS[2]) or redis.call('GET', KEYS[2]) or '0'}
`;

export const sessionScripts = {
  krsSessionStart: { numberOfKeys: 2, lua: start },
  krsSessionLook: { numberOfKeys: 2, lua: look },
  krsSessionEnd: { numberOfKeys: 2, lua: end },
} as const;
