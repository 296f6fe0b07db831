import { bullmqScripts } from '../engine/bullmq-contract.js';
import { luaFunction } from '../engine/bullmq-script.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { makeDueFunction } from '../flow/waiting-list-scripts.js';
import { editedContentLua, READ_VALUES } from './edited-content.js';

/** Answers of editScript. `changed`: it is not what was read any more. */
export const EDIT = { absent: 0, edited: 1, beingSent: 2, completed: 3, changed: 4 } as const;

/** BullMQ's changePriority comes first among the keys and values. */
export const { keys: PRIORITY_KEYS, values: PRIORITY_VALUES } = bullmqScripts.changePriority;

/** The first ARGV of what is written. */
const CONTENT_AT = PRIORITY_VALUES + READ_VALUES + 3;

/**
 * Changes a task that waits, or that has ended in the failed set. A worker takes a job by one script of BullMQ's, so it gets either
 * the old data or the new. The data is made by the caller, from what it read: see edited-content.ts.
 *
 * A job whose worker died is in none of the sets until the stall check has put it back, so it is not changed while that worker's send may
 * still be on its way.
 *
 * A job that flow control has put back is made due, because its new destination may have room, and it leaves its waiting list in
 * any case: nothing may be left in the waiting list of a destination that the task does not go to. A backoff goes on.
 *
 * The first write is one that a full Redis refuses: then nothing is changed.
 *
 * KEYS BullMQ's changePriority, then job, delayed, completed, failed, waiting lists. ARGV BullMQ's (the third is the job id), then what was read
 * (readValues), 1 when the priority differs, key prefix of waiting lists, and what is written (editedValues).
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
    lua: `${nowMs}${makeDueFunction}${editedContentLua}
${luaFunction(bullmq, 'changePriority', 'changePriority')}
local job, id = ${job}, ARGV[3]
if redis.call('EXISTS', job) == 0 then return {${EDIT.absent}, ''} end
if redis.call('ZSCORE', ${completed}, id) then return {${EDIT.completed}, redis.call('HGET', job, '${jobField.returnValue}') or ''} end
if not redis.call('ZSCORE', ${failed}, id) and not redis.call('ZSCORE', ${delayed}, id) and not redis.call('ZSCORE', ${prioritized}, id) then
  -- The list of running jobs is short, the lists of due ones may be long: look there first.
  if redis.call('LPOS', ${active}, id) or not (redis.call('LPOS', ${wait}, id) or redis.call('LPOS', ${paused}, id)) then return {${EDIT.beingSent}, ''} end
end
if not isAsRead(job, ${PRIORITY_VALUES + 1}) then return {${EDIT.changed}, ''} end
putContent(job, ${CONTENT_AT}, now)
if ${value(READ_VALUES + 1)} == '1' then changePriority(KEYS, ARGV) end
local listed = leaveWaitingList(job, id, ${value(READ_VALUES + 2)}, ${waitingLists})
if makeDue(${delayed}, job, id, listed or now) then redis.call('ZADD', ${marker}, 0, '0') end
return {${EDIT.edited}, ''}
`,
  };
}
