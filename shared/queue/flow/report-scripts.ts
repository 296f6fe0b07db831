/** Lua of the reports of workers about their destinations. */

import { nowMs } from '../engine/now-ms.js';

/** It begins with a removal, which a full Redis takes, and then also the rest. KEYS 1 workers, 2 report. ARGV 1 worker, 2 report, 3 how long it counts (ms). */
const putReport = `${nowMs}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 600000)
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
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

/** How long a worker's life is remembered after its last sign of life, ms: longer than any lock that is worth waiting for. */
const LIFE_FOR_MS = 600_000;

/**
 * With a life or a LOCK_DURATION to write down it begins with a removal, as above.
 *
 * KEYS 1 workers, 2 the caller's life, 3 its LOCK_DURATION. ARGV 1 that life ('' = it is no worker, or does not know it yet), 2 that LOCK_DURATION (ms, ''
 * = none), 3 and 4 what the keys of the two begin with, 5 and 6 how long ago the last report of a silent worker is at least and at most (ms).
 * @returns {now (ms), workers, the times of their last reports (ms), their lives and their LOCK_DURATION ('' = none) in turn}
 */
const silentWorkers = `${nowMs}
if ARGV[1] ~= '' or ARGV[2] ~= '' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${LIFE_FOR_MS}) end
if ARGV[1] ~= '' then redis.call('SET', KEYS[2], ARGV[1], 'PX', ${LIFE_FOR_MS}) end
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2], 'PX', ${LIFE_FOR_MS}) end
local found = {}
local silent = redis.call('ZRANGE', KEYS[1], now - tonumber(ARGV[6]), now - tonumber(ARGV[5]), 'BYSCORE', 'WITHSCORES')
for index = 1, #silent, 2 do
  found[#found + 1] = silent[index]
  found[#found + 1] = silent[index + 1]
  found[#found + 1] = redis.call('GET', ARGV[3] .. silent[index]) or ''
  found[#found + 1] = redis.call('GET', ARGV[4] .. silent[index]) or ''
end
return {now, found}
`;

export const reportScripts = {
  krsFlowPutReport: { numberOfKeys: 2, lua: putReport },
  krsFlowSilent: { numberOfKeys: 3, lua: silentWorkers },
  krsFlowGetReports: { numberOfKeys: 1, lua: getReports },
} as const;
