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
 * - `tellFirstSend(job, id, at, letter, isFirstOfRun)` counts the end of the first send since the action, once.
 * - `tellEnd(job, id, at, name)` counts the end of the run, once; the first send too, where that was the same one.
 * - `noteSentNow(job, id, action)`: a bulk action has sent the job now, and the next send that ends is its first one. Of two actions that
 *   do so before it, the later one is told.
 *
 * An action that redrives and one that sends now may both be told of the same job. `job` is the key of a job, `at` the time in ms. A job in no
 * bulk action costs one HMGET. Numbers that have been removed are not made anew. `firstLeft` counts the first sends that have not ended, of an
 * action that sends now.
 */
export const toldBulkActionLua = `
local function countsOf(job, id, action)
  local base = string.sub(job, 1, #job - #id)
  local counts = base .. 'bulk:' .. action
  return redis.call('EXISTS', counts) == 1 and counts, base .. 'bulk-first-sends:' .. action
end
local function toldOf(job, id)
  local told = redis.call('HGET', job, '${jobField.toldAction}')
  if not told then return nil end
  local action = string.sub(told, 2)
  return string.sub(told, 1, 1) == '${FIRST}', action, countsOf(job, id, action)
end
local function countFirstSend(counts, sends, at, letter)
  redis.call('HINCRBY', counts, letter == '${FIRST_SEND.delivered}' and 'firstDelivered' or 'firstFailed', 1)
  redis.call('LPUSH', sends, at .. letter)
  redis.call('LTRIM', sends, 0, ${FIRST_SENDS_WINDOW - 1})
end
local function tellSentNow(job, id, at, letter)
  local action = redis.call('HGET', job, '${jobField.sentNowBy}')
  if not action then return end
  redis.call('HDEL', job, '${jobField.sentNowBy}')
  local counts, sends = countsOf(job, id, action)
  if not counts then return end
  redis.call('HINCRBY', counts, 'firstLeft', -1)
  if letter then countFirstSend(counts, sends, at, letter) end
end
local function noteSentNow(job, id, action)
  tellSentNow(job, id)
  redis.call('HSET', job, '${jobField.sentNowBy}', action)
  redis.call('HINCRBY', string.sub(job, 1, #job - #id) .. 'bulk:' .. action, 'firstLeft', 1)
end
local function tellFirstSend(job, id, at, letter, isFirstOfRun)
  tellSentNow(job, id, at, letter)
  if not isFirstOfRun then return end
  local isFirst, action, counts, sends = toldOf(job, id)
  if not isFirst then return end
  redis.call('HSET', job, '${jobField.toldAction}', '${NEXT}' .. action)
  if counts then countFirstSend(counts, sends, at, letter) end
end
local function tellEnd(job, id, at, name)
  local letter = name == 'delivered' and '${FIRST_SEND.delivered}' or '${FIRST_SEND.failed}'
  tellSentNow(job, id, at, name ~= 'cancelled' and letter or nil)
  local isFirst, action, counts, sends = toldOf(job, id)
  if not action then return end
  redis.call('HDEL', job, '${jobField.toldAction}')
  if not counts then return end
  redis.call('HINCRBY', counts, name, 1)
  if isFirst and name ~= 'cancelled' then countFirstSend(counts, sends, at, letter) end
end
`;

/** KEYS 1 job. ARGV 1 job id, 2 when it ended (ms), 3 letter of FIRST_SEND, 4 '1' for the first send of the run. */
export const tellFirstSendScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${toldBulkActionLua}
tellFirstSend(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1')
return 1
`,
};
