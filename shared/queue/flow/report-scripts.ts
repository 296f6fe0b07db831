/** Lua of the reports of workers about their destinations. */

import { nowMs } from '../engine/now-ms.js';

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

export const reportScripts = {
  krsFlowPutReport: { numberOfKeys: 2, lua: putReport },
  krsFlowGetReports: { numberOfKeys: 1, lua: getReports },
} as const;
