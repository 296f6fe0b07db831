import { nowMs } from '../engine/now-ms.js';

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
 * KEYS 1 the sessions of the key. ARGV 1 hash of the session's secret, 2 hash of the key's secret, 3 lifetime in ms, 4 hash of a session
 * that this one replaces, '' for none, 5 how many sessions of a key there may be: those that were idle for longest make room.
 */
const start = `${nowMs}${parse}
redis.call('HDEL', KEYS[1], ARGV[4])
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
for index = 1, #open - tonumber(ARGV[5]) + 1 do redis.call('HDEL', KEYS[1], open[index][1]) end
redis.call('HSET', KEYS[1], ARGV[1], print(ARGV[2], now, now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`;

/**
 * How a session stands. One that is open is noted as used, to a twentieth of its idle time. Where Redis takes no writes it is told all the same:
 * people look at the page just then. Its idle time goes on meanwhile.
 * KEYS 1 the sessions of the key. ARGV 1 hash of the session's secret, 2 idle time in ms, 3 lifetime in ms, 4 '1': somebody uses it.
 * @returns {state, hash of the key's secret, when it was started}; the last two only of one that is open
 */
const look = `${nowMs}${parse}
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text then return {'${SESSION_STATE.none}'} end
local secretHash, startedAt, usedAt = parse(text)
if secretHash == nil then return {'${SESSION_STATE.none}'} end
if now >= startedAt + tonumber(ARGV[3]) then return {'${SESSION_STATE.over}'} end
if now >= usedAt + tonumber(ARGV[2]) then return {'${SESSION_STATE.idle}'} end
if ARGV[4] == '1' and now - usedAt >= tonumber(ARGV[2]) / 20 then
  redis.pcall('HDEL', KEYS[1], '')
  redis.pcall('HSET', KEYS[1], ARGV[1], print(secretHash, startedAt, now))
end
return {'${SESSION_STATE.open}', secretHash, string.format('%.0f', startedAt)}
`;

/** Ends a session. KEYS 1 the sessions of the key. ARGV 1 hash of the session's secret. @returns 1: it was there */
const end = `return redis.call('HDEL', KEYS[1], ARGV[1])`;

export const sessionScripts = {
  krsSessionStart: { numberOfKeys: 1, lua: start },
  krsSessionLook: { numberOfKeys: 1, lua: look },
  krsSessionEnd: { numberOfKeys: 1, lua: end },
} as const;
