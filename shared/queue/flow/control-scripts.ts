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
 * everything: what was lost with it must not hold on in one worker.
 *
 * KEYS 1 controls, 2 changes, 3 version, 4 versions.
 */
const change = `
local time = redis.call('TIME')
local function change(field, value)
  if value == '' then redis.call('HDEL', KEYS[1], field) else redis.call('HSET', KEYS[1], field, value) end
  local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local version = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[3]) or '0') + 1, micros))
  redis.call('SET', KEYS[3], version)
  redis.call('ZADD', KEYS[2], version, field)
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -${REMEMBERED_CHANGES + 1})
  redis.call('ZADD', KEYS[4], version, version)
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -${REMEMBERED_VERSIONS + 1})
end
`;

/** KEYS as in change. ARGV 1 field, 2 new value or '' to remove it. */
const setControl = `${change}
change(ARGV[1], ARGV[2])
return 1
`;

/**
 * Changes one field of an operator's settings, so that no other change is lost between a read and a write.
 *
 * KEYS as in change. ARGV 1 field of a policy, 2 paused (1) or not (0).
 */
const pause = `${change}
local text = redis.call('HGET', KEYS[1], ARGV[1])
local policy = text and cjson.decode(text) or {}
policy['isPaused'] = ARGV[2] == '1' or nil
change(ARGV[1], next(policy) and cjson.encode(policy) or '')
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
 * KEYS 1..4 as in change, 5 workers. ARGV 1 version known, -1 = none, 2 workers that reported within (ms).
 * @returns {version, 1 when this is everything, fields and values in turn ('' = removed), now (ms), workers}
 */
const changesSince = `${nowMs}
local version, known = tonumber(redis.call('GET', KEYS[3]) or '0'), tonumber(ARGV[1])
local workers = redis.call('ZCOUNT', KEYS[5], now - tonumber(ARGV[2]), '+inf')
if version == known then return {version, 0, {}, now, workers} end
local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
local isGap = known < 0 or known > version or not redis.call('ZSCORE', KEYS[4], ARGV[1]) or (redis.call('ZCARD', KEYS[2]) >= ${REMEMBERED_CHANGES} and known < tonumber(oldest))
if isGap then return {version, 1, redis.call('HGETALL', KEYS[1]), now, workers} end
local found = {}
for _, field in ipairs(redis.call('ZRANGE', KEYS[2], '(' .. ARGV[1], '+inf', 'BYSCORE')) do
  found[#found + 1] = field
  found[#found + 1] = redis.call('HGET', KEYS[1], field) or ''
end
return {version, 0, found, now, workers}
`;

/**
 * KEYS 1 controls, 2 workers. ARGV 1 reported within (ms), 2... fields of controls.
 * @returns {workers that reported, now (ms), value of each field}
 */
const snapshot = `${nowMs}
local values = {}
for index = 2, #ARGV do values[index - 1] = redis.call('HGET', KEYS[1], ARGV[index]) end
return {redis.call('ZCOUNT', KEYS[2], now - tonumber(ARGV[1]), '+inf'), now, values}
`;

export const controlScripts = {
  krsFlowSet: { numberOfKeys: 4, lua: setControl },
  krsFlowPause: { numberOfKeys: 4, lua: pause },
  krsFlowOpen: { numberOfKeys: 4, lua: openCircuit },
  krsFlowChanges: { numberOfKeys: 5, lua: changesSince },
  krsFlowSnapshot: { numberOfKeys: 2, lua: snapshot },
} as const;
