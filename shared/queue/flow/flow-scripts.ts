/** Lua of flow-store.ts. Times are Redis' own, so that the clocks of the workers need not agree. */

/** Sets `now`: Redis' clock, whole milliseconds. */
export const nowMs = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/** Changes that are remembered one by one; whoever is further behind reads everything. */
const REMEMBERED_CHANGES = 20_000;
/** Workers ask each 200 ms; whoever knows a version that is not among the last ones reads everything. */
const REMEMBERED_VERSIONS = 1_000;

/**
 * Versions follow the clock: a Redis that lost its newest changes, or all of them, never gives a number again that a
 * worker knows already for something else. And whoever knows one that this Redis has not given, or has lost, is told
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
 * Changes one thing of what an operator set, so that no other change is lost between a look and a write.
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
 * KEYS 1 controls, 2 workers. ARGV 1 reported within (ms), 2... fields of controls.
 * @returns {workers that reported, now (ms), value of each field}
 */
const snapshot = `${nowMs}
local values = {}
for index = 2, #ARGV do values[index - 1] = redis.call('HGET', KEYS[1], ARGV[index]) end
return {redis.call('ZCOUNT', KEYS[2], now - tonumber(ARGV[1]), '+inf'), now, values}
`;

/**
 * Opens a circuit, or says what somebody else was faster to write.
 *
 * KEYS as in change. ARGV 1 field, 2 circuit as JSON.
 * @returns the circuit that holds
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

/** A worker that has not asked for so long does not count among those that share a limit. */
const CLAIM_MS = 2_000;
/** Unused paces and places are dropped after this. */
const KEPT_IDLE_MS = 60_000;

/**
 * Late timers must not cost throughput, so what was missed in the last 50 ms may be caught up: 5% more in one second.
 * \`pace\` holds when the next send would be due at an even pace (GCRA); one that was written for a slower rate does not
 * hold up a faster one.
 */
const limits = `
local max, rate, burst, worker = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local interval = rate > 0 and 1000 / rate or 0
local slack = math.max((burst - 1) * interval, 50)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ${CLAIM_MS})
redis.call('ZADD', KEYS[3], now, worker)
redis.call('PEXPIRE', KEYS[3], ${KEPT_IDLE_MS})
local claimants = redis.call('ZCARD', KEYS[3])
local function keepPace(pace) redis.call('SET', KEYS[2], string.format('%.3f', pace), 'PX', math.ceil(math.max(pace - now, 0) + slack) + ${KEPT_IDLE_MS}) end
local pace = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now - slack)
if rate > 0 and pace > now + interval then
  pace = now + interval
  keepPace(pace)
end
`;

/**
 * Lets as many of the given jobs start as the limits of the destination allow now.
 *
 * KEYS 1 leases, 2 pace, 3 claims.
 * ARGV 1 most at once (-1 = any), 2 rate per second (0 = any), 3 burst, 4 worker, 5 lease (ms), 6... job ids.
 * @returns {how many may start, ms until the next one may (-1 = when a place gets free), places left (-1 = any), workers that ask}
 */
const acquire = `${nowMs}${limits}
local lease, granted, wait = tonumber(ARGV[5]), 0, 0
local taken = redis.call('ZCARD', KEYS[1])
for index = 6, #ARGV do
  local isMine = max >= 0 and redis.call('ZSCORE', KEYS[1], ARGV[index])
  if max >= 0 and not isMine and taken >= max then wait = -1 break end
  if rate > 0 then
    if pace > now then wait = math.ceil(pace - now) break end
    pace = pace + interval
  end
  if max >= 0 then
    redis.call('ZADD', KEYS[1], now + lease, ARGV[index])
    if not isMine then taken = taken + 1 end
  end
  granted = granted + 1
end
if granted > 0 then
  if rate > 0 then keepPace(pace) end
  if max >= 0 then redis.call('PEXPIRE', KEYS[1], lease + ${KEPT_IDLE_MS}) end
end
return {granted, wait, max >= 0 and math.max(0, max - taken) or -1, claimants}
`;

/**
 * As acquire, but takes nothing.
 *
 * KEYS and ARGV 1..4 as in acquire, ARGV 5 how far ahead to look (ms).
 * @returns {sends that may start until then (-1 = any), workers that ask}
 */
const look = `${nowMs}${limits}
local free = -1
if max >= 0 then free = math.max(0, max - redis.call('ZCARD', KEYS[1])) end
if rate > 0 then
  local soon = math.max(0, math.floor((now + tonumber(ARGV[5]) - pace) / interval) + 1)
  if free < 0 or soon < free then free = soon end
end
return {free, claimants}
`;

/** KEYS 1 leases. ARGV 1 job id. */
const release = `return redis.call('ZREM', KEYS[1], ARGV[1])`;

/** KEYS 1 workers, 2 report. ARGV 1 worker, 2 report, 3 how long it counts (ms). */
const putReport = `${nowMs}
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 600000)
return 1
`;

/**
 * KEYS 1 workers. ARGV 1 what a report's key begins with, 2 reported within (ms).
 * @returns workers and their reports ('' = lapsed) in turn
 */
const getReports = `${nowMs}
local found = {}
for _, worker in ipairs(redis.call('ZRANGE', KEYS[1], now - tonumber(ARGV[2]), '+inf', 'BYSCORE')) do
  found[#found + 1] = worker
  found[#found + 1] = redis.call('GET', ARGV[1] .. worker) or ''
end
return found
`;

/**
 * A worker that has not heard yet how the last probe ended must not send another one.
 *
 * KEYS 1 probe, 2 controls. ARGV 1 holder, 2 for how long (ms), 3 field of the circuit.
 * @returns 1; 0 when somebody else has it; the circuit as JSON when it is open for longer
 */
const takeProbe = `${nowMs}
local circuit = redis.call('HGET', KEYS[2], ARGV[3])
if circuit and cjson.decode(circuit)['until'] > now then return circuit end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
`;

/** KEYS 1 probe. ARGV 1 holder. Frees it, if it is still the holder's. */
const endProbe = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

export const flowScripts = {
  krsFlowSet: { numberOfKeys: 4, lua: setControl },
  krsFlowPause: { numberOfKeys: 4, lua: pause },
  krsFlowSnapshot: { numberOfKeys: 2, lua: snapshot },
  krsFlowOpen: { numberOfKeys: 4, lua: openCircuit },
  krsFlowChanges: { numberOfKeys: 5, lua: changesSince },
  krsFlowAcquire: { numberOfKeys: 3, lua: acquire },
  krsFlowRelease: { numberOfKeys: 1, lua: release },
  krsFlowLook: { numberOfKeys: 3, lua: look },
  krsFlowPutReport: { numberOfKeys: 2, lua: putReport },
  krsFlowGetReports: { numberOfKeys: 1, lua: getReports },
  krsFlowTakeProbe: { numberOfKeys: 2, lua: takeProbe },
  krsFlowEndProbe: { numberOfKeys: 1, lua: endProbe },
} as const;
