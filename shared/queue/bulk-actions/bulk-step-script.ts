import { clientOfFunction } from '../engine/client-of-job.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { stepClockLua } from '../engine/step-clock.js';
import { FIRST } from '../engine/told-bulk-action.js';
import { unpackSearchFieldsLua } from '../search/search-fields.js';
import { ACT_KEYS, ACT_VALUES, ACTED, actLua } from '../tasks/act-script.js';
import { editedContentLua, READ_VALUES } from '../tasks/edited-content.js';
import { TASK_PLACE } from '../tasks/task-now.js';
import { PREPARED, PREPARED_VALUES } from './override-tasks.js';
import { BULK_STEP, lease, NOT_OWN } from './bulk-shard-scripts.js';

/** The tasks of an action go to more than one destination. */
export const SEVERAL = '*';
/** Between host, path and flow_key: no client can submit it. */
export const DESTINATION_SEPARATOR = '\n';
const ESCAPED_SEPARATOR = '\\n';

/** Behind the values of reprocessJob. */
const OVERRIDE_AT = 10 + ACT_VALUES;

/** After so many rounds in a row in which it is not as it was read, a task is counted as unreadable: a damaged one never will be. */
const MOST_AGAIN = 20;

/** A step ends after so much time, seconds. All other commands wait meanwhile. */
const STEP_SECONDS = 0.005;

/**
 * Takes the next tasks of an action in turn. Each is changed only if its run and state are still those that were written down, and is
 * counted in the same step: a worker that is killed leaves nothing half done. A task of another client than the caller's counts as gone: it may have
 * been submitted under the same id since the one that was written down was deleted.
 *
 * KEYS those of actLua, then counts, list, lease.
 * ARGV 1 key prefix of jobs, 2 token, 3 lease (ms), 4 epoch, 5 how many at most, 6 action, 7 its id, 8 added to the mark of a
 * redrive and to the return value of a cancelled task, 9 key prefix of waiting lists, 10... BullMQ's values of reprocessJob, then 1 for an
 * override or '', how many clients the action is bound to (0: none) and these, and of each task that an override was made for: see override-tasks.ts.
 * @returns {tasks that were started, tasks whose turn it was, tasks left}, or BULK_STEP
 */
export function bulkStepScript(bullmq: DefinedScripts): LuaScript {
  return {
    numberOfKeys: ACT_KEYS + 3,
    lua: `${actLua(bullmq)}
${unpackSearchFieldsLua}${editedContentLua}${clientOfFunction}${lease}${stepClockLua}${nowMs}
local began = seconds()
local counts, list = KEYS[${ACT_KEYS + 1}], KEYS[${ACT_KEYS + 2}]
local action, actionId = ARGV[6], ARGV[7]
-- What takes tasks away makes room. A full Redis runs a script that begins with a removal to its end.
if action == 'cancel' or action == 'delete' then redis.call('ZREM', list, '') end
if not hasLease(KEYS[${ACT_KEYS + 3}], ARGV[2], ARGV[3]) then return ${BULK_STEP.busy} end
if isStale(counts, ARGV[4]) then return ${BULK_STEP.stale} end
local with = actWith(ARGV[1], ARGV[9], 10, now, ARGV[8])
local destinationBefore = redis.call('HGET', counts, 'destination')
local destination = destinationBefore
local function noteDestination(job)
  if destination == '${SEVERAL}' then return end
  local fields = unpackSearchFields(redis.call('HGET', job, '${jobField.search}'))
  local name = fields and fields[4] .. '${ESCAPED_SEPARATOR}' .. fields[5] .. '${ESCAPED_SEPARATOR}' .. (fields[7] ~= '' and fields[7] or fields[6]) or '${SEVERAL}'
  destination = (not destination or destination == name) and name or '${SEVERAL}'
end
local function noteAction(job, id)
  if action == 'delete' then return end
  redis.call('HSET', job, '${jobField.bulkAction}', actionId)
  if action == 'redrive' then redis.call('HSET', job, '${jobField.toldAction}', '${FIRST}' .. actionId)
  elseif action == 'send_now' then noteSentNow(job, id, actionId)
  else return end
  noteDestination(job)
end
local isOwnClient, clients = {}, tonumber(ARGV[${OVERRIDE_AT + 1}])
for index = ${OVERRIDE_AT + 2}, ${OVERRIDE_AT + 1} + clients do isOwnClient[ARGV[index]] = true end
local function isForeign(job)
  return clients > 0 and not isOwnClient[clientOf(job) or '']
end
local hasOverride, prepared = ARGV[${OVERRIDE_AT}] == '1', {}
for index = ${OVERRIDE_AT + 2} + clients, #ARGV, ${PREPARED_VALUES} do prepared[ARGV[index]] = index end
-- The number that counts a task which the override does not fit; \`again\` for one that has to be read once more; nil when it is done.
local function override(member, job, id)
  local at = prepared[member]
  if not at then return 'again' end
  if not isAsRead(job, at + 3) then
    local rounds, who = string.match(redis.call('HGET', counts, 'again') or '', '^(%d+) (.*)$')
    rounds = who == member and rounds + 1 or 1
    redis.call('HSET', counts, 'again', rounds .. ' ' .. member)
    if rounds < ${MOST_AGAIN} then return 'again' end
    redis.call('HSETNX', counts, '${PREPARED.unreadable}Sample', ARGV[at + 2])
    return '${PREPARED.unreadable}'
  end
  local todo = ARGV[at + 1]
  if todo == '${PREPARED.same}' then return nil end
  if todo ~= '${PREPARED.edit}' then
    redis.call('HSETNX', counts, todo .. 'Sample', ARGV[at + 2])
    return todo
  end
  putContent(job, at + ${3 + READ_VALUES}, now)
  leaveWaitingList(job, id, with.lists, with.sets[10])
  return nil
end
local nameOf = {[${ACTED.done}] = 'started', [${ACTED.beingSent}] = 'beingSent', [${ACTED.refused}] = 'changed'}
-- nil where an older version has written down its last failure.
local function sendsSoFar(job)
  local seen = redis.call('HMGET', job, '${jobField.failure}', '${jobField.attemptsMade}')
  if not phaseOf(seen[1], seen[2]) then return nil end
  return seen[1] and sendsOf(seen[1]) or 0
end
local function turn(member)
  local id, sends, run, state = string.match(member, '^(%S+) (0*)(%d+) (%S+)$')
  if state == '${NOT_OWN}' then return 'gone' end
  local job = with.base .. id
  local task = taskNow(with.sets, job, id)
  if not task or isForeign(job) then return 'gone' end
  if task[4] == '${TASK_PLACE.active}' then return 'beingSent' end
  if task[1] ~= state or task[2] ~= tonumber(run) or not actionFor({action}, task) then return 'changed' end
  -- It was sent meanwhile, as by another such action, and failed again: to send it now once more was not asked for.
  local sent = #sends > 0 and sendsSoFar(job)
  if sent and sent ~= #sends then return 'changed' end
  local otherwise = hasOverride and override(member, job, id)
  if otherwise then return otherwise end
  local code = act(with, action, job, id, task)
  if code == ${ACTED.done} then noteAction(job, id) end
  return nameOf[code]
end
local pending = tonumber(redis.call('HGET', counts, 'pending')) or 0
local most = math.min(tonumber(ARGV[5]), pending)
local results, through = {}, 0
local page = most > 0 and redis.call('ZRANGE', list, 0, most - 1) or {}
for _, member in ipairs(page) do
  if seconds() - began > ${STEP_SECONDS} and through > 0 then break end
  -- Beside a task that fails by a fault of ours, the others must be counted.
  local isDone, result = pcall(turn, member)
  if not isDone then
    if through == 0 then return redis.error_reply(type(result) == 'table' and result.err or tostring(result)) end
    break
  end
  if result == 'again' then break end
  redis.call('ZREM', list, member)
  through = through + 1
  results[result] = (results[result] or 0) + 1
end
-- A list that lost members by another hand would keep the action open for ever.
local lost = 0
if most > 0 and #page == 0 then lost = pending end
if lost > 0 then results.gone = (results.gone or 0) + lost end
for result, number in pairs(results) do redis.call('HINCRBY', counts, result, number) end
if destination ~= destinationBefore then redis.call('HSET', counts, 'destination', destination) end
if through + lost > 0 then redis.call('HINCRBY', counts, 'pending', -(through + lost)) end
return {results.started or 0, through + lost, pending - through - lost}
`,
  };
}
