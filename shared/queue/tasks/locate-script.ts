import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/** The places in which locateScript finds a job. `due`: it is in none of the others, so it waits for a free slot. */
export const PLACE = { nowhere: 0, delayed: 1, due: 2, active: 3, completed: 4, failed: 5 } as const;

/**
 * Answers where a job is now. It changes nothing.
 *
 * KEYS 1 job, 2 delayed, 3 completed, 4 failed, 5 active. ARGV 1 job id.
 * @returns {place, now (ms), log, options, return value}; each of the last three '' where there is none
 */
export const locateScript: LuaScript = {
  numberOfKeys: 5,
  lua: `${nowMs}
local job, id = KEYS[1], ARGV[1]
local place = ${PLACE.due}
if redis.call('EXISTS', job) == 0 then place = ${PLACE.nowhere}
elseif redis.call('ZSCORE', KEYS[2], id) then place = ${PLACE.delayed}
elseif redis.call('ZSCORE', KEYS[3], id) then place = ${PLACE.completed}
elseif redis.call('ZSCORE', KEYS[4], id) then place = ${PLACE.failed}
elseif redis.call('LPOS', KEYS[5], id) then place = ${PLACE.active} end
local function field(name) return redis.call('HGET', job, name) or '' end
return {place, now, field('${jobField.log}'), field('${jobField.options}'), field('${jobField.returnValue}')}
`,
};
