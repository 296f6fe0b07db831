import { bulkCountNames } from '../../domain/bulk-actions/bulk-counts.js';
import { statesTakenBy } from '../../domain/task/state-actions.js';
import { taskStates, type TaskState } from '../../domain/task/task.js';
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
import { bulkNextScript, PREPARED, PREPARED_VALUES } from './override-tasks.js';

/** Answers that are no number of tasks. `busy`: another worker has the lease. `stale`: the action has changed since the caller read it. */
export const BULK_STEP = { busy: -1, stale: -2 } as const;

/** The state of an id that no task had when it was looked at. */
export const GONE = 'gone';
/** The state of an id that no task of the caller's clients had: it counts as gone, whatever another client does with it. */
export const NOT_OWN = 'foreign';

/** The tasks of an action go to more than one destination. */
export const SEVERAL = '*';
/** Between host, path and flow_key: no client can submit it. */
export const DESTINATION_SEPARATOR = '\n';
const ESCAPED_SEPARATOR = '\\n';

/** Behind the values of reprocessJob. */
const OVERRIDE_AT = 10 + ACT_VALUES;

/** A task hardly begins more new runs than this while it is matched. */
const RUNS_BEFORE = 2;
/** Nor is it sent more often. */
const SENDS_BEFORE = 8;

/** Waiting states of a task that was sent in its run. */
const sentBefore = ['retrying', 'dead_lettering'] as const satisfies readonly TaskState[];

const luaTexts = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(', ');

/** After so many rounds in a row in which it is not as it was read, a task is counted as unreadable: a damaged one never will be. */
const MOST_AGAIN = 20;

/** A step or a fence that was begun before its action was removed comes within this time, ms. */
const LATE_MS = 60_000;

/** A step ends after so much time, seconds. All other commands wait meanwhile. */
const STEP_SECONDS = 0.005;

/**
 * The hash of an action's numbers in one shard has those of bulk-counts.ts, and
 * - `cursor`: how far matching has come: '' at first, 'end' when it is over;
 * - `found`: tasks in the list when it was over;
 * - `unknown`: how many of those are ids that no task of the caller had;
 * - `foundBefore`: tasks in the list at the end of the last pass of matching;
 * - `firstLeft`: first sends that have not ended, of an action that sends now;
 * - `destination`: where the tasks go that it has started to send: host, path and flow_key, or SEVERAL;
 * - `invalidSample`, `unreadableSample`: the first task that an override did not fit, and why: JSON;
 * - `epoch`: a step that goes by an older one changes nothing. It stands there from the first step on, and for a minute after the action was
 *   removed: another one with the same id begins with a later one;
 * - `again`: \`<rounds> <member>\` of a task that was not as it had been read, so often in a row.
 *
 * A member of the list is \`<job id> <run> <state>\`: no job id has a space. In that of an action that sends now, the run has a zero in front for each send until
 * then (\`t-a 001 retrying\`: two), because a task that is sent once more and fails has the same state as before. Workers of older versions, which may go on
 * with the same list, read the same run, and write it without zeros.
 */
const lease = `
local function hasLease(key, token, ms)
  local holder = redis.call('GET', key)
  if holder and holder ~= token then return false end
  redis.call('SET', key, token, 'PX', ms)
  return true
end
local function isStale(counts, epoch)
  return (tonumber(redis.call('HGET', counts, 'epoch')) or 0) > tonumber(epoch)
end
`;

/**
 * Writes down tasks that were found, and how far the search has come, in one step: so each of them is written down once, whatever is killed.
 *
 * A task that moved may have been found before, in another state or run. It takes the place of what was written down then, so it is counted once.
 *
 * At the end of a pass that has found a further task, matching goes on with the next pass; the first pass may have overlooked some, so it
 * is never the only one.
 *
 * KEYS 1 counts, 2 list, 3 lease. ARGV 1 token, 2 lease (ms), 3 epoch, 4 cursor before, 5 cursor behind, 6 cursor of the next pass or '',
 * 7 how many tasks of this pass could not be read, then in turn a score, a member, and 1 where the task may have been found before or ''.
 * @returns the cursor now, or BULK_STEP
 */
const writeDownFound = `${lease}
if not hasLease(KEYS[3], ARGV[1], ARGV[2]) then return ${BULK_STEP.busy} end
if isStale(KEYS[1], ARGV[3]) then return ${BULK_STEP.stale} end
local cursor = redis.call('HGET', KEYS[1], 'cursor') or ''
if cursor ~= ARGV[4] then return cursor end
if cursor == '' then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
  redis.call('PERSIST', KEYS[1])
end
local isWaiting = {${statesTakenBy.send_now.map((state) => `${state} = true`).join(', ')}}
local function removeOthers(member)
  local id, sends, last, nowIn = string.match(member, '^(%S+) (0*)(%d+) (%S+)$')
  local others = {}
  local function add(other)
    if other ~= member then others[#others + 1] = other end
  end
  for run = math.max(1, last - ${RUNS_BEFORE}), last do
    for _, state in ipairs({${luaTexts(taskStates)}}) do add(string.format('%s %d %s', id, run, state)) end
    local most = run == tonumber(last) and #sends or ${SENDS_BEFORE}
    for _, state in ipairs(isWaiting[nowIn] and {${luaTexts(sentBefore)}} or {}) do
      for before = math.max(1, most - ${SENDS_BEFORE}), most do add(string.format('%s %s%d %s', id, string.rep('0', before), run, state)) end
    end
  end
  redis.call('ZREM', KEYS[2], unpack(others))
end
for index = 8, #ARGV, 3 do
  local isNew = redis.call('ZADD', KEYS[2], 'NX', ARGV[index], ARGV[index + 1]) == 1
  local id, rest = string.match(ARGV[index + 1], '^(%S+) 0+(%d+ %S+)$')
  if isNew and id then redis.call('ZREM', KEYS[2], id .. ' ' .. rest) end
  if isNew and ARGV[index + 2] == '1' then removeOthers(ARGV[index + 1]) end
  local state = string.match(ARGV[index + 1], '%S+$')
  if isNew and (state == '${GONE}' or state == '${NOT_OWN}') then redis.call('HINCRBY', KEYS[1], 'unknown', 1) end
end
local behind = ARGV[5]
if behind == 'end' then
  redis.call('HSET', KEYS[1], 'notRead', ARGV[7])
  local found, before = redis.call('ZCARD', KEYS[2]), redis.call('HGET', KEYS[1], 'foundBefore')
  if ARGV[6] ~= '' and (not before or tonumber(before) < found) then
    behind = ARGV[6]
    redis.call('HSET', KEYS[1], 'foundBefore', found)
  else
    redis.call('HSET', KEYS[1], 'found', found)
  end
end
redis.call('HSET', KEYS[1], 'cursor', behind)
return behind
`;

/**
 * Says how many of the tasks that were found are taken. It is done once; matching has ended in all shards before.
 * KEYS 1 counts. ARGV 1 how many are taken.
 */
const seal = `
local seen = redis.call('HMGET', KEYS[1], 'matched', 'found')
local found = tonumber(seen[2] or '')
-- Without a number of found ones the action has been removed meanwhile.
if seen[1] or not found then return 0 end
redis.call('HSET', KEYS[1], 'matched', found, 'pending', ARGV[1], 'overLimit', string.format('%d', found - tonumber(ARGV[1])))
return 1
`;

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

/** KEYS 1 counts. ARGV 1 epoch: steps that go by an older one change nothing from now on. It begins with a removal, so that a full Redis takes it. */
const fence = `
redis.call('HDEL', KEYS[1], '')
if (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'epoch', ARGV[1]) end
return 1
`;

/**
 * KEYS 1 any key of the shard. ARGV 1 key prefix of counts, 2... ids of actions.
 * @returns of each: the numbers in the order of bulkCountNames, then cursor, found, unknown, firstLeft, destination and two samples; nil where there is none
 */
const readCounts = `
local found = {}
for index = 2, #ARGV do
  found[index - 1] = redis.call('HMGET', ARGV[1] .. ARGV[index], ${bulkCountNames.map((name) => `'${name}'`).join(', ')}, 'cursor', 'found', 'unknown', 'firstLeft', 'destination', '${PREPARED.invalid}Sample', '${PREPARED.unreadable}Sample')
end
return found
`;

/** KEYS 1 list. ARGV 1 score. @returns how many tasks have at most this score */
const countUpTo = `return redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])`;

/** KEYS 1 list. @returns the lowest and the highest score, or nothing */
const scores = `
local first, last = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES'), redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
return {first[2], last[2]}
`;

/**
 * When the numbers go as well, the epoch is left for a while. Without it a step that was under way would write down its tasks, and a fence
 * its epoch, for an action that is gone or for the next one with the same id. The removal comes first, so that a full Redis takes it.
 *
 * KEYS 1 counts, 2 list, 3 lease, 4 first sends. ARGV 1 how long the numbers are kept (ms); 0: they go as well. 2 epoch of the action, 0: it
 * is not known.
 * @returns 0: they are of another action
 */
const forget = `
local known = tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0
if ARGV[2] ~= '0' and known > tonumber(ARGV[2]) then return 0 end
redis.call('UNLINK', KEYS[2], KEYS[3])
if ARGV[1] == '0' then
  redis.call('UNLINK', KEYS[1], KEYS[4])
  if ARGV[2] ~= '0' then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ${LATE_MS})
  end
  return 1
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[4], ARGV[1])
return 1
`;

export const bulkShardScripts = {
  krsBulkNext: bulkNextScript,
  krsBulkWriteDownFound: { numberOfKeys: 3, lua: writeDownFound },
  krsBulkSeal: { numberOfKeys: 1, lua: seal },
  krsBulkFence: { numberOfKeys: 1, lua: fence },
  krsBulkCounts: { numberOfKeys: 1, lua: readCounts },
  krsBulkCountUpTo: { numberOfKeys: 1, lua: countUpTo },
  krsBulkScores: { numberOfKeys: 1, lua: scores },
  krsBulkForget: { numberOfKeys: 4, lua: forget },
} as const satisfies Readonly<Record<string, LuaScript>>;

