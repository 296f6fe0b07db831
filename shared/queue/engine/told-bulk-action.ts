import { FIRST_SENDS_WINDOW } from '../../domain/bulk-actions/first-sends.js';
import type { BulkCountName } from '../../domain/bulk-actions/bulk-counts.js';
import { jobField } from './job-fields.js';
import type { LuaScript } from './lua-script.js';

/** How the run of a redriven task may end, as the numbers of its bulk action name it. */
export type ToldEnd = Extract<BulkCountName, 'delivered' | 'failedAgain' | 'cancelled'>;

/** Before the id of the action in the job's field, while the first send of the run has not ended; afterwards NEXT. */
export const FIRST = 'f';
const NEXT = 'n';
/** One letter behind the time of a first send. */
export const FIRST_SEND = { delivered: 'd', failed: 'f' } as const;

/**
 * Lua: what becomes of a task that a bulk action has started is counted in the script that records it. Job and numbers are in one shard.
 *
 * - `tellFirstSend(job, id, at, letter)` counts the end of the first send of the run, once.
 * - `tellEnd(job, id, at, name)` counts the end of the run, once; the first send too, where that was the same one.
 *
 * `job` is the key of a job, `at` the time in ms. A job in no bulk action costs one HGET. Numbers that have been removed are not made anew.
 */
export const toldBulkActionLua = `
local function toldOf(job, id)
  local told = redis.call('HGET', job, '${jobField.toldAction}')
  if not told then return nil end
  local base, action = string.sub(job, 1, #job - #id), string.sub(told, 2)
  local counts = base .. 'bulk:' .. action
  return string.sub(told, 1, 1) == '${FIRST}', action, redis.call('EXISTS', counts) == 1 and counts, base .. 'bulk-first-sends:' .. action
end
local function countFirstSend(counts, sends, at, letter)
  redis.call('HINCRBY', counts, letter == '${FIRST_SEND.delivered}' and 'firstDelivered' or 'firstFailed', 1)
  redis.call('LPUSH', sends, at .. letter)
  redis.call('LTRIM', sends, 0, ${FIRST_SENDS_WINDOW - 1})
end
local function tellFirstSend(job, id, at, letter)
  local isFirst, action, counts, sends = toldOf(job, id)
  if not isFirst then return end
  redis.call('HSET', job, '${jobField.toldAction}', '${NEXT}' .. action)
  if counts then countFirstSend(counts, sends, at, letter) end
end
local function tellEnd(job, id, at, name)
  local isFirst, action, counts, sends = toldOf(job, id)
  if not action then return end
  redis.call('HDEL', job, '${jobField.toldAction}')
  if not counts then return end
  redis.call('HINCRBY', counts, name, 1)
  if isFirst and name ~= 'cancelled' then countFirstSend(counts, sends, at, name == 'delivered' and '${FIRST_SEND.delivered}' or '${FIRST_SEND.failed}') end
end
`;

/** KEYS 1 job. ARGV 1 job id, 2 when it ended (ms), 3 letter of FIRST_SEND. */
export const tellFirstSendScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${toldBulkActionLua}
tellFirstSend(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return 1
`,
};
