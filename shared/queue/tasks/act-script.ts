import { statesTakenBy } from '../../domain/task/state-actions.js';
import { bullmqScripts } from '../engine/bullmq-contract.js';
import { clientOfFunction } from '../engine/client-of-job.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { promoteFunction } from '../engine/promote-job.js';
import { restartFunction } from '../engine/restart-job.js';
import { CANCEL, cancelLua } from './cancel-script.js';
import { prepareRedriveLua } from './redrive-script.js';
import { markSentNowLua } from './sent-now-mark.js';
import { TASK_PLACE, taskNowLua } from './task-now.js';

/**
 * What came of an action on one task. `refused`: it is in a state that the action does not take. `unreadable`: what stands under its key is
 * no job. `foreign`: it belongs to none of the clients that the caller is bound to.
 */
export const ACTED = { absent: 0, done: 1, beingSent: 2, refused: 3, unreadable: 4, foreign: 5 } as const;

const { promote, reprocessJob } = bullmqScripts;
/** The number of keys of cancelJob and taskNow. */
export const SETS = 10;
/** BullMQ's keys of reprocessJob and of promote, then those of cancelJob. */
export const ACT_KEYS = reprocessJob.keys + promote.keys + SETS;
/** BullMQ's values of reprocessJob. */
export const ACT_VALUES = reprocessJob.values;

const table = Object.entries(statesTakenBy).map(([action, states]) => `${action} = {${states.map((state) => `${state} = true`).join(', ')}}`);

/**
 * Lua: the one place that decides whether an action may be done to a task, and that does it: for single calls, for the board and for bulk
 * actions. It goes by the table of state-actions.ts.
 *
 * - `actionFor(actions, task)`: the first of the actions that takes a task that taskNow has seen, or nil.
 * - `actWith(base, lists, values, at, more)` says what actions go by: key prefix of jobs, key prefix of waiting lists, which ARGV is the
 *   first of BullMQ's values, now in ms, and the text that is added to the mark in the history of the task: see historyText.
 * - `act(with, action, job, id, task)`: does it, and gives ACTED.
 */
export function actLua(bullmq: DefinedScripts): string {
  return `${restartFunction(bullmq)}
${promoteFunction(bullmq)}
${taskNowLua}${prepareRedriveLua}${cancelLua}${markSentNowLua}
local takes = {${table.join(', ')}}
local function actionFor(actions, task)
  if task[4] == '${TASK_PLACE.active}' then return nil end
  for _, action in ipairs(actions) do
    if takes[action][task[1]] then return action end
  end
  return nil
end
local function actWith(base, lists, values, at, more)
  local with = {base = base, lists = lists, at = at, more = more, restartKeys = {}, promoteKeys = {}, sets = {}, restartValues = {}}
  for index = 2, ${reprocessJob.keys} do with.restartKeys[index] = KEYS[index] end
  for index = 1, ${promote.keys} do with.promoteKeys[index] = KEYS[${reprocessJob.keys} + index] end
  for index = 1, ${SETS} do with.sets[index] = KEYS[${reprocessJob.keys + promote.keys} + index] end
  for index = 2, ${reprocessJob.values} do with.restartValues[index] = ARGV[values + index - 1] end
  return with
end
local function cancelOrDelete(with, _, job, id)
  local code = cancelJob(with.sets, job, id, with.at, with.more, with.lists)[1]
  if code == ${CANCEL.cancelled} or code == ${CANCEL.deleted} then return ${ACTED.done} end
  return code == ${CANCEL.beingSent} and ${ACTED.beingSent} or ${ACTED.refused}
end
local doers = {
  redrive = function(with, task, job, id)
    if prepareRedrive(job, id, with.sets[7], with.sets[8], with.at, with.more) == 0 then return ${ACTED.refused} end
    with.restartKeys[1], with.restartValues[1] = job, id
    restart(with.restartKeys, with.restartValues)
    if task[1] ~= 'parked' then countTask(with.base, job, 1) end
    return ${ACTED.done}
  end,
  -- A task that is due already stays where it is. The first write is one that a full Redis refuses; promote ends with the same.
  send_now = function(with, task, job, id)
    if task[4] == '${TASK_PLACE.delayed}' then
      redis.call('HSET', job, '${jobField.delay}', 0, '${jobField.movedAt}', string.format('%d', with.at))
      promote(with.promoteKeys, {with.base, id})
    end
    markSentNow(job, task[2], with.at, with.more)
    return ${ACTED.done}
  end,
  cancel = cancelOrDelete,
  delete = cancelOrDelete,
}
local function act(with, action, job, id, task)
  return doers[action](with, task, job, id)
end
`;
}

/**
 * Does to one task the first of some actions that takes it. Whose task it is, is looked at in the same step: between a look and a change
 * another client could have taken the id.
 *
 * KEYS as actLua. ARGV BullMQ's values of reprocessJob (the first is the job id), then key prefix of jobs, key prefix of waiting lists,
 * actions with \`|\` between them, text that is added to the mark in the history of the task, clients whose tasks it may be (none: any).
 * @returns {ACTED, the action or '', state before, run before, place before, now (ms)}
 */
export function actScript(bullmq: DefinedScripts): LuaScript {
  const value = (nth: number): string => `ARGV[${ACT_VALUES + nth}]`;
  return {
    numberOfKeys: ACT_KEYS,
    lua: `${nowMs}${actLua(bullmq)}${clientOfFunction}
local id, base = ARGV[1], ${value(1)}
local with = actWith(base, ${value(2)}, 1, now, ${value(4)})
local job = base .. id
if #ARGV > ${ACT_VALUES + 4} and redis.call('EXISTS', job) == 1 then
  local client, isOwn = clientOf(job), false
  for index = ${ACT_VALUES + 5}, #ARGV do isOwn = isOwn or client == ARGV[index] end
  if not isOwn then return {${ACTED.foreign}, '', '', 0, '', now} end
end
local task = taskNow(with.sets, job, id)
if not task then return {redis.call('EXISTS', job) == 1 and ${ACTED.unreadable} or ${ACTED.absent}, '', '', 0, '', now} end
local asked = {}
for action in string.gmatch(${value(3)}, '[^|]+') do asked[#asked + 1] = action end
local action = actionFor(asked, task)
local code = action and act(with, action, job, id, task) or (task[4] == '${TASK_PLACE.active}' and ${ACTED.beingSent} or ${ACTED.refused})
return {code, action or '', task[1], task[2], task[4], now}
`,
  };
}
