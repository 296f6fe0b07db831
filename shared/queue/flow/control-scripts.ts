/**
 * Lua of the settings and states of destinations: limits, pauses and circuits. Times are Redis' own, because the clocks
 * of the workers may differ.
 */

import { nowMs } from '../engine/now-ms.js';

/** Changes that are remembered one by one. A worker that is further behind reads everything. */
const REMEMBERED_CHANGES = 20_000;
/** Workers ask each 200 ms; a worker whose version is not among the last ones reads everything. */
const REMEMBERED_VERSIONS = 1_000;

/**
 * Versions follow the clock: a Redis that lost its newest changes, or all of them, never gives a number again that a
 * worker knows already for something else. And a worker with a version that this Redis has not given, or has lost, is told
 * everything: what was lost with it must not hold on in one worker. All changes of one call have one version.
 *
 * KEYS 1 controls, 2 changes, 3 version, 4 versions.
 */
const change = `
local time = redis.call('TIME')
local version
local function change(field, value)
  if not version then
    local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
    version = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[3]) or '0') + 1, micros))
    redis.call('SET', KEYS[3], version)
    redis.call('ZADD', KEYS[4], version, version)
    redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -${REMEMBERED_VERSIONS + 1})
  end
  if value == '' then redis.call('HDEL', KEYS[1], field) else redis.call('HSET', KEYS[1], field, value) end
  redis.call('ZADD', KEYS[2], version, field)
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -${REMEMBERED_CHANGES + 1})
end
`;

/** KEYS as in change. ARGV fields that are removed, all of them in one change. */
const removeControls = `${change}
for _, field in ipairs(ARGV) do change(field, '') end
return 1
`;

/**
 * Reads and writes the policy of one name, so that no change is lost between a read and a write. cjson writes 14 digits of a
 * number, so limits and times are printed here: 17 digits keep any limit as it was set, and the last time that can be named has 15.
 *
 * KEYS as in change. ARGV 1 field of a policy.
 */
const policyChange = `${change}
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local text = redis.call('HGET', KEYS[1], ARGV[1])
local policy = text and cjson.decode(text) or {}
-- A version that knows no details of a pause sets the flag alone.
local pause = nil
if policy.isPaused == true then pause = type(policy.pause) == 'table' and policy.pause or {} end
local isOver = pause ~= nil and pause['until'] ~= nil and pause['until'] <= now
if isOver then pause = nil end
local function setPolicy(limits, pause)
  local parts = {}
  for _, name in ipairs({'maxConcurrency', 'ratePerSecond', 'burst'}) do
    if limits[name] then parts[#parts + 1] = string.format('"%s":%.17g', name, limits[name]) end
  end
  if pause then parts[#parts + 1] = '"isPaused":true' end
  if pause and next(pause) then
    local details = {}
    for _, name in ipairs({'since', 'until'}) do
      if type(pause[name]) == 'number' then details[#details + 1] = string.format('"%s":%.0f', name, pause[name]) end
    end
    for _, name in ipairs({'by', 'reason'}) do
      if pause[name] ~= nil then details[#details + 1] = '"' .. name .. '":' .. cjson.encode(pause[name]) end
    end
    parts[#parts + 1] = '"pause":{' .. table.concat(details, ',') .. '}'
  end
  change(ARGV[1], #parts == 0 and '' or '{' .. table.concat(parts, ',') .. '}')
end
`;

/** Replaces the limits, and leaves a pause as it is. ARGV 2 limits as JSON, `{}` for none. */
const setLimits = `${policyChange}
setPolicy(cjson.decode(ARGV[2]), pause)
return 1
`;

/**
 * Pauses the name. When it is paused already it stays so since then, and all else is replaced.
 *
 * ARGV 2 until (ms, '' = an operator resumes it), 3 who (JSON), 4 why ('' = not said).
 * @returns 0: that time has passed, and nothing was changed
 */
const setPause = `${policyChange}
local ends = tonumber(ARGV[2])
if ends and ends <= now then return 0 end
local since = now
if pause then since = pause.since end
setPolicy(policy, { since = since, ['until'] = ends, by = cjson.decode(ARGV[3]), reason = ARGV[4] ~= '' and ARGV[4] or nil })
return 1
`;

/**
 * Ends the pause of the name. ARGV 2 '1': only a pause whose time is over.
 * @returns 0: nothing was changed
 */
const endPause = `${policyChange}
if ARGV[2] == '1' and not isOver then return 0 end
setPolicy(policy, nil)
return 1
`;

/**
 * Opens a circuit, or answers the one that another worker has opened before.
 *
 * KEYS as in change. ARGV 1 field, 2 circuit as JSON.
 * @returns the circuit that is now open
 */
const openCircuit = `${change}
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before and cjson.decode(before)['until'] >= cjson.decode(ARGV[2])['until'] then return before end
change(ARGV[1], ARGV[2])
return ARGV[2]
`;

/**
 * Writes down who has probed an open circuit, if it still is the one that the caller knows.
 *
 * KEYS as in change. ARGV 1 field, 2 circuit as JSON.
 */
const noteProbe = `${change}
local text, new = redis.call('HGET', KEYS[1], ARGV[1]), cjson.decode(ARGV[2])
local before = text and cjson.decode(text)
if not before or before['openedAt'] ~= new['openedAt'] or before['until'] ~= new['until'] then return 0 end
change(ARGV[1], ARGV[2])
return 1
`;

/** Where writes are refused no worker can report. A removal says so, also in a full Redis, which takes reports. */
const takesReports = `
local function takesReports(neverThere) return type(redis.pcall('DEL', neverThere)) == 'number' and 1 or 0 end
`;

/**
 * KEYS 1..4 as in change, 5 workers, 6 requests for test sends, 7 bulk actions whose numbers may still change, 8 nothing. ARGV 1 version known,
 * -1 = none, 2 workers that reported within (ms).
 * @returns {version, 1 when this is everything, fields and values in turn ('' = removed), now (ms), workers, requests for test sends, bulk
 * actions, 0 when the caller knows no version and no worker can report now}
 */
const changesSince = `${nowMs}${takesReports}
local version, known = tonumber(redis.call('GET', KEYS[3]) or '0'), tonumber(ARGV[1])
local workers = redis.call('ZCOUNT', KEYS[5], now - tonumber(ARGV[2]), '+inf')
local testSends, bulkActions = redis.call('LLEN', KEYS[6]), redis.call('ZCARD', KEYS[7])
if version == known then return {version, 0, {}, now, workers, testSends, bulkActions, 1} end
local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
local isGap = known < 0 or known > version or not redis.call('ZSCORE', KEYS[4], ARGV[1]) or (redis.call('ZCARD', KEYS[2]) >= ${REMEMBERED_CHANGES} and known < tonumber(oldest))
if isGap then return {version, 1, redis.call('HGETALL', KEYS[1]), now, workers, testSends, bulkActions, known < 0 and takesReports(KEYS[8]) or 1} end
local found = {}
for _, field in ipairs(redis.call('ZRANGE', KEYS[2], '(' .. ARGV[1], '+inf', 'BYSCORE')) do
  found[#found + 1] = field
  found[#found + 1] = redis.call('HGET', KEYS[1], field) or ''
end
return {version, 0, found, now, workers, testSends, bulkActions, 1}
`;

/**
 * KEYS 1 controls, 2 workers, 3 nothing. ARGV 1 reported within (ms), 2... fields of controls.
 * @returns {workers that reported, now (ms), value of each field, 0 when no worker can report now}
 */
const snapshot = `${nowMs}${takesReports}
local values = {}
for index = 2, #ARGV do values[index - 1] = redis.call('HGET', KEYS[1], ARGV[index]) end
return {redis.call('ZCOUNT', KEYS[2], now - tonumber(ARGV[1]), '+inf'), now, values, takesReports(KEYS[3])}
`;

/**
 * A policy goes to another name. Where that has one too, joinedPolicy says what holds: no pause may end by it.
 *
 * KEYS as in change. ARGV 1 field that it goes to, 2 field that it leaves.
 * @returns 1; 0: there is none
 */
const movePolicy = `${policyChange}
local moved = redis.call('HGET', KEYS[1], ARGV[2])
if not moved then return 0 end
if not text then
  change(ARGV[1], moved)
else
  local from = cjson.decode(moved)
  local longer = from.isPaused == true and (type(from.pause) == 'table' and from.pause or {}) or nil
  local function ends(of) return of['until'] or math.huge end
  if longer and ends(longer) > now and (not pause or ends(longer) > ends(pause)) then pause = longer end
  setPolicy((policy.maxConcurrency or policy.ratePerSecond) and policy or from, pause)
end
change(ARGV[2], '')
return 1
`;

export const controlScripts = {
  krsFlowMove: { numberOfKeys: 4, lua: movePolicy },
  krsFlowRemove: { numberOfKeys: 4, lua: removeControls },
  krsFlowLimits: { numberOfKeys: 4, lua: setLimits },
  krsFlowPause: { numberOfKeys: 4, lua: setPause },
  krsFlowEndPause: { numberOfKeys: 4, lua: endPause },
  krsFlowNoteProbe: { numberOfKeys: 4, lua: noteProbe },
  krsFlowOpen: { numberOfKeys: 4, lua: openCircuit },
  krsFlowChanges: { numberOfKeys: 8, lua: changesSince },
  krsFlowSnapshot: { numberOfKeys: 3, lua: snapshot },
} as const;
