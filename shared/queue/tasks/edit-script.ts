import { bullmqScripts } from '../engine/bullmq-contract.js';
import { luaFunction } from '../engine/bullmq-script.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { makeDueFunction } from '../flow/waiting-list-scripts.js';

/** Answers of editScript. `changed`: it is not what was read any more. */
export const EDIT = { absent: 0, edited: 1, beingSent: 2, completed: 3, changed: 4 } as const;

/** BullMQ's changePriority comes first among the keys and values. */
export const { keys: PRIORITY_KEYS, values: PRIORITY_VALUES } = bullmqScripts.changePriority;

/**
 * Changes a task that waits, or that has ended in the failed set. A worker takes a job by one script of BullMQ's, so it gets either
 * the old data or the new. The data is made by the caller, from what it read: cjson would round numbers. So it is compared whether that
 * is still what stands there. Data changes only here, and with a new submission, which has another time and other options.
 *
 * A job whose worker died is in none of the sets until the stall check has put it back, so it is not changed while that worker's send may
 * still be on its way.
 *
 * A job that flow control has put back is made due, because its new destination may have room, and it leaves its waiting list in
 * any case: nothing may be left in the waiting list of a destination that the task does not go to. A backoff goes on.
 *
 * The first write is one that a full Redis refuses: then nothing is changed.
 *
 * KEYS BullMQ's changePriority, then job, delayed, completed, failed, waiting lists. ARGV BullMQ's (the third is the job id), then what was read:
 * edits, attempts made, creation time, options (texts, '' for none) and bytes of the data; 1 when the priority differs; key prefix of waiting
 * lists; search fields or ''; the list of changes before and behind the time of this one; then fields and values in turn.
 * @returns {code, return value of what had completed before, or ''}
 */
export function editScript(bullmq: DefinedScripts): LuaScript {
  const key = (nth: number): string => `KEYS[${PRIORITY_KEYS + nth}]`;
  const value = (nth: number): string => `ARGV[${PRIORITY_VALUES + nth}]`;
  const [job, delayed, completed, failed, waitingLists] = [key(1), key(2), key(3), key(4), key(5)];
  // In BullMQ's order: see changePriorityArgs.
  const [wait, paused, prioritized, active, marker] = ['KEYS[1]', 'KEYS[2]', 'KEYS[4]', 'KEYS[5]', 'KEYS[7]'];
  return {
    numberOfKeys: PRIORITY_KEYS + 5,
    lua: `${nowMs}${makeDueFunction}
${luaFunction(bullmq, 'changePriority', 'changePriority')}
local job, id = ${job}, ARGV[3]
if redis.call('EXISTS', job) == 0 then return {${EDIT.absent}, ''} end
local function field(name) return redis.call('HGET', job, name) or '' end
if redis.call('ZSCORE', ${completed}, id) then return {${EDIT.completed}, field('${jobField.returnValue}')} end
if not redis.call('ZSCORE', ${failed}, id) and not redis.call('ZSCORE', ${delayed}, id) and not redis.call('ZSCORE', ${prioritized}, id) then
  -- The list of running jobs is short, the lists of due ones may be long: look there first.
  if redis.call('LPOS', ${active}, id) or not (redis.call('LPOS', ${wait}, id) or redis.call('LPOS', ${paused}, id)) then return {${EDIT.beingSent}, ''} end
end
if field('${jobField.edits}') ~= ${value(1)} or field('${jobField.attemptsMade}') ~= ${value(2)} or field('${jobField.createdAt}') ~= ${value(3)}
  or field('${jobField.options}') ~= ${value(4)} or redis.call('HSTRLEN', job, '${jobField.data}') ~= tonumber(${value(5)}) then
  return {${EDIT.changed}, ''}
end
local fields = {}
for index = ${PRIORITY_VALUES + 11}, #ARGV do fields[#fields + 1] = ARGV[index] end
redis.call('HSET', job, '${jobField.editLog}', ${value(9)} .. string.format('%d', now) .. ${value(10)}, '${jobField.movedAt}', string.format('%d', now), unpack(fields))
if ${value(8)} == '' then redis.call('HDEL', job, '${jobField.search}') else redis.call('HSET', job, '${jobField.search}', ${value(8)}) end
if ${value(6)} == '1' then changePriority(KEYS, ARGV) end
local waitingList = redis.call('HGET', job, '${jobField.waitingList}')
local listed
if waitingList then
  listed = redis.call('ZSCORE', ${value(7)} .. waitingList, id)
  redis.call('ZREM', ${value(7)} .. waitingList, id)
  if redis.call('EXISTS', ${value(7)} .. waitingList) == 0 then redis.call('ZREM', ${waitingLists}, waitingList) end
  redis.call('HDEL', job, '${jobField.waitingList}')
end
if makeDue(${delayed}, job, id, listed or now) then redis.call('ZADD', ${marker}, 0, '0') end
return {${EDIT.edited}, ''}
`,
  };
}
