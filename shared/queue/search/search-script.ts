import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { PRIORITY_NORMAL } from '../engine/job-priority.js';
import { stepClockLua } from '../engine/step-clock.js';
import { jobDueAtLua } from './job-due.js';
import { foundAsHeldLua, heldTasksLua } from './held-tasks-lua.js';
import { matchJobLua } from './match-job-lua.js';
import { lookAtSetLua } from './look-at-set-lua.js';
import { CLOCK_EVERY, CLOCK_EVERY_BYTES, STEP_BYTES, STEP_SECONDS } from './step-limits.js';

/** The members of a row in the answer, in order. All are texts; '' where there is none. */
export const rowFields = [
  /** `row`: it matches. `bare`: its search fields are missing or out of date, so it has to be decided by its data. */
  'kind',
  'member',
  /** Its score in its set; '0' in a list. */
  'score',
  'place',
  'state',
  'search',
  'failure',
  'createdAt',
  'startedAt',
  'finishedAt',
  'movedAt',
  'options',
  'redrives',
  'priority',
  'edits',
  'bulkAction',
  /** '1' while flow control holds it. */
  'isDeferred',
  'waitsFor',
  /** '1' when it was given back uncounted since its last attempt. */
  'isReleased',
  /** When its next send is due or was due, ms. */
  'dueAt',
  /** Its data, where a condition on the message has to be looked at. */
  'data',
] as const;

/**
 * One step of a search. It looks at members of one of BullMQ's sets behind a place in it, or at named ones, and answers those that
 * match. It writes nothing.
 *
 * A place is a score and a member, so it stays right whatever moves. Members that are no tasks of ours, such as BullMQ's markers,
 * are passed over.
 *
 * A task that has moved since the search began may have been found where it was before. So it is passed over, and comes at most once; those
 * that match are counted. In the first place of a search that holds only for those that can have come back to it. When a search has ended, it
 * looks once more for tasks that match and have moved: that is the way to look `again`, which only counts them and ends with the first.
 *
 * Flow control puts a task that it holds back again and again. A task of a first run that moved before the search came to those that wait cannot have
 * been found yet, because only those that have failed are read before: it is not passed over.
 *
 * A task that is held comes due again and again, and is put back. So held tasks are read by themselves, in the waiting lists, where each keeps its place
 * (decision 26): those that were held already when the search came to the tasks that wait, by how long they have waited. In the other places
 * they are passed over.
 *
 * Of a set the few fields that decide are read by one SORT_RO with GET, which costs Redis half as much as a command for each job. A
 * cluster refuses it, and so do versions before 7.0: then each job is read by itself. A text that must stand in the search fields of
 * all that match is looked for before anything else.
 *
 * It measures its own time, and ends when that is over. One member at least is looked at.
 *
 * KEYS 1 set or list. ARGV 1 key prefix of jobs, 2 plan as JSON (compile-filter.ts), 3 place, 4 pass over what has moved since (ms) or '',
 * 5 way to look: `first`, `later` or `again`, 6 BullMQ's counter of due jobs when the search began, to look again,
 * 7 field to count by, `count`, or '' for rows, 8 how many rows at most, 9 when the search came to tasks that wait (ms) or '', 10 1 if the search
 * reads held tasks by themselves, 11 `set`, `held` or `ids`, then of a set, and of the held tasks: 12 1 for the lowest scores first, 13 score and 14 member behind which
 * to begin, or '', 15 how many members at most;
 * of ids: in turn job id, search fields and failure fields to go by, or ''. The place '' means wherever each is.
 * @returns {Redis' time (ms), tasks looked at, those among them that could not be read, how many match, score and member of the last
 * one or '' at the end of the set, rows, values and numbers of the groups in turn, how many have no value, how many of the ids were looked
 * at, CPU time of Redis since its start (us) before and behind the step, -1 where it does not say, then how many match and were passed over}
 */
export const searchScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${nowMs}${stepClockLua}${jobDueAtLua}${matchJobLua}
local began = seconds()
local function cpuUs()
  local info = redis.pcall('INFO', 'cpu')
  if type(info) ~= 'string' then return -1 end
  local system = string.match(info, 'used_cpu_sys_main_thread:([%d.]+)') or string.match(info, 'used_cpu_sys:([%d.]+)')
  local user = string.match(info, 'used_cpu_user_main_thread:([%d.]+)') or string.match(info, 'used_cpu_user:([%d.]+)')
  return system and user and math.floor((tonumber(system) + tonumber(user)) * 1000000) or -1
end
local cpuBefore = cpuUs()
local set, plan = KEYS[1], cjson.decode(ARGV[2])
local place, since, way, dueCounter, by, want = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local sinceWaiting, readsHeld = tonumber(ARGV[9]), ARGV[10] == '1'
local isCount = by ~= ''
local looked, notRead, matched, passedOver, bytes = 0, 0, 0, 0, 0
local rows, groups, withoutGroup = {}, {}, 0
local conditions = {}

-- Whether the step has to end. It is asked after each member.
local asked, askedBytes, needleBytes = 0, 0, 0
local function isOver()
  if #rows >= want or bytes > ${STEP_BYTES} or (way == 'again' and passedOver > 0) then return true end
  asked = asked + 1
  if asked % ${CLOCK_EVERY} ~= 0 and bytes + needleBytes - askedBytes < ${CLOCK_EVERY_BYTES} then return false end
  askedBytes = bytes + needleBytes
  return seconds() - began > ${STEP_SECONDS}
end

local function addRow(kind, job)
  local more = redis.call('HMGET', base .. job.id, '${jobField.options}', '${jobField.redrives}', '${jobField.priority}', '${jobField.edits}', '${jobField.bulkAction}', '${jobField.deferredAt}', '${jobField.fetches}', '${jobField.waitsFor}', '${jobField.finishedAt}')
  local isWaiting = job.place == 'delayed' or isDuePlace[job.place]
  local isDeferred = (job.place == 'delayed' or job.heldScore) and more[6] and more[6] == (more[7] or '0')
  local log = isWaiting and more[7] and redis.call('HGET', base .. job.id, '${jobField.log}') or ''
  local isReleased = isReleasedBy(log)
  bytes = bytes + #log
  local priority = tonumber(more[3]) or 0
  rows[#rows + 1] = {
    kind, job.id, job.heldScore or scoreOf(job), job.place, kind == 'row' and stateOf(job) or '', job.search or '', job.failure or '',
    job.createdAt, job.startedAt or '', more[9] or '', job.movedAt or '', more[1] or '', more[2] or '',
    priority < ${PRIORITY_NORMAL} and '1' or '', more[4] or '', more[5] or '',
    isDeferred and '1' or '', more[8] or '', isReleased and '1' or '',
    isWaiting and textOf(nextAttemptOf(job)) or '', job.data or '',
  }
end

${foundAsHeldLua}
-- Whether a job has moved is looked up only if it matches.
local function decide(job)
  looked = looked + 1
  local verdict = matchJob(plan, conditions, job)
  bytes = bytes + (job.dataBytes or 0)
  if verdict == false then
    -- It is counted where it stands.
    if job.heldScore then looked = looked - 1 end
    return
  end
  local needsMore = not job.isLoaded and (since or (by ~= 'count' and readsOf[by] ~= ofSearch))
  if verdict == 'gone' or ((not isCount or verdict == 'bare' or needsMore) and not loadWhole(job)) then
    notRead = notRead + 1
    return
  end
  local foundAsHeld = since and isFoundAsHeld(job)
  if foundAsHeld then
    looked = looked - 1
    if foundAsHeld == 'unsure' then passedOver = passedOver + 1 end
    return
  end
  if way == 'again' then
    if mayHaveCome(plan, job, sinceOf(job, since, sinceWaiting), dueCounter) then passedOver = passedOver + 1 end
    return
  end
  if since and not job.heldScore and hasMovedSince(plan, job, since, way == 'first') and hasMovedSince(plan, job, sinceOf(job, since, sinceWaiting), way == 'first') then
    looked, passedOver = looked - 1, passedOver + 1
    return
  end
  if verdict == true and not isCount and not (searchOf(job) and failureOf(job)) then verdict = 'bare' end
  if verdict == true and isCount and by ~= 'count' then
    local value = groupOf(plan, job, by)
    if value == UNKNOWN then verdict = 'bare' elseif value then groups[value] = (groups[value] or 0) + 1 else withoutGroup = withoutGroup + 1 end
  end
  if verdict == 'bare' then
    if loadWhole(job) then addRow('bare', job) else notRead = notRead + 1 end
  elseif verdict == 'large' then
    notRead = notRead + 1
  else
    matched = matched + 1
    if not isCount then addRow('row', job) end
  end
end

-- Reads one job as a whole.
local function look(id, score, at, search, failure)
  if not isJobId(id) then return end
  local job = {id = id, score = score, place = at}
  if not loadWhole(job) then
    looked, notRead = looked + 1, notRead + 1
    return
  end
  if search and search ~= '' then
    job.search = search
    job.failure = failure ~= '' and failure
  end
  decide(job)
end

${lookAtSetLua}${heldTasksLua}
local nextScore, nextMember, idsLookedAt = '', '', 0
if ARGV[11] == 'held' then
  conditions = plan.conditions
  local last, at = lookAtAllHeld(ARGV[12] == '1', ARGV[13], ARGV[14], tonumber(ARGV[15]))
  if last then nextScore, nextMember = at, last end
elseif ARGV[11] == 'ids' then
  conditions = plan.conditions
  for index = 12, #ARGV, 3 do
    local id, at, score = ARGV[index], place, '0'
    if at == '' then
      at = 'wait'
      for _, name in ipairs({'delayed', 'prioritized', 'completed', 'failed'}) do
        local found = redis.call('ZSCORE', base .. name, id)
        if found then at, score = name, found end
      end
      if at == 'wait' and redis.call('LPOS', base .. 'active', id) then at = 'active' end
      if redis.call('EXISTS', base .. id) == 1 then look(id, score, at, ARGV[index + 1], ARGV[index + 2]) end
    elseif isList[at] then
      look(id, score, at, ARGV[index + 1], ARGV[index + 2])
    else
      -- It was in the set a moment ago. If it is not there any more, it has moved.
      score = redis.call('ZSCORE', set, id)
      if score then look(id, score, at, ARGV[index + 1], ARGV[index + 2]) else passedOver = passedOver + 1 end
    end
    idsLookedAt = idsLookedAt + 1
    if isOver() then break end
  end
else
  for _, condition in ipairs(plan.conditions) do
    if not condition.holdsIn[place] and not condition.isHeldByScore[place] then conditions[#conditions + 1] = condition end
  end
  local last = lookAtSet(ARGV[12] == '1', ARGV[13], ARGV[14], tonumber(ARGV[15]))
  if last then nextScore, nextMember = redis.call('ZSCORE', set, last), last end
end
local counted = {}
for value, number in pairs(groups) do
  counted[#counted + 1] = value
  counted[#counted + 1] = number
end
return {now, looked, notRead, matched, nextScore, nextMember, rows, counted, withoutGroup, idsLookedAt, cpuBefore, cpuUs(), passedOver}
`,
};
