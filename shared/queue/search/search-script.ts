import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { PRIORITY_NORMAL } from '../engine/job-priority.js';
import { jobDueAtLua } from './job-due.js';
import { matchJobLua } from './match-job-lua.js';

/** Data looked into in one step, bytes. */
const STEP_BYTES = 4_194_304;

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
 * A task that has moved since the search began may have been found where it was before. So it is passed over in every place but the
 * first: it comes at most once.
 *
 * KEYS 1 set or list. ARGV 1 key prefix of jobs, 2 plan as JSON (compile-filter.ts), 3 place, 4 pass over what has moved since (ms) or '',
 * 5 field to count by, `count`, or '' for rows, 6 how many rows at most, 7 `set` or `ids`, then
 * of a set: 8 1 for the lowest scores first, 9 score and 10 member behind which to begin, or '', 11 how many members at most;
 * of ids: in turn job id, search fields and failure fields to go by, or ''. The place '' means wherever each is.
 * @returns {Redis' time (ms), tasks looked at, those among them that could not be read, how many match, score and member of the last
 * one or '' at the end of the set, rows, values and numbers of the groups in turn, how many have no value}
 */
export const searchScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${nowMs}${jobDueAtLua}${matchJobLua}
local set, base, plan = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local place, since, by, want = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local isCount = by ~= ''
local looked, notRead, matched, bytes = 0, 0, 0, 0
local rows, groups, withoutGroup = {}, {}, 0

local function addRow(kind, job)
  local more = redis.call('HMGET', base .. job.id, '${jobField.options}', '${jobField.redrives}', '${jobField.priority}', '${jobField.edits}', '${jobField.bulkAction}', '${jobField.deferredAt}', '${jobField.fetches}', '${jobField.waitsFor}', '${jobField.finishedAt}')
  local isWaiting = job.place == 'delayed' or isDuePlace[job.place]
  local isDeferred = job.place == 'delayed' and more[6] and more[6] == (more[7] or '0')
  local log = isWaiting and more[7] and redis.call('HGET', base .. job.id, '${jobField.log}') or ''
  local isReleased = isReleasedBy(log)
  bytes = bytes + #log
  local priority = tonumber(more[3]) or 0
  rows[#rows + 1] = {
    kind, job.id, job.score, job.place, kind == 'row' and stateOf(job) or '', job.search or '', job.failure or '',
    job.createdAt, job.startedAt or '', more[9] or '', job.movedAt or '', more[1] or '', more[2] or '',
    priority < ${PRIORITY_NORMAL} and '1' or '', more[4] or '', more[5] or '',
    isDeferred and '1' or '', more[8] or '', isReleased and '1' or '',
    isWaiting and textOf(nextAttemptOf(job)) or '', job.data or '',
  }
end

local function look(id, score, at, search, failure)
  if not isJobId(id) then return end
  looked = looked + 1
  local seen = redis.pcall('HMGET', base .. id, '${jobField.createdAt}', '${jobField.startedAt}', '${jobField.movedAt}', '${jobField.search}', '${jobField.failure}', '${jobField.attemptsMade}', '${jobField.returnValue}')
  if seen.err or not tonumber(seen[1]) then
    notRead = notRead + 1
    return
  end
  local job = {id = id, score = score, place = at, createdAt = seen[1], startedAt = seen[2], movedAt = seen[3], search = seen[4], failure = seen[5], attemptsMade = tonumber(seen[6]) or 0, returnValue = seen[7]}
  if since and hasMovedSince(job, since) then
    looked = looked - 1
    return
  end
  if search and search ~= '' then
    job.search = search
    job.failure = failure ~= '' and failure
  end
  local verdict = matchJob(plan, job)
  bytes = bytes + (job.dataBytes or 0)
  if verdict == false then return end
  if verdict == true and not isCount and not (searchOf(job) and failureOf(job)) then verdict = 'bare' end
  if verdict == true and isCount and by ~= 'count' then
    local value = groupOf(plan, job, by)
    if value == UNKNOWN then verdict = 'bare' elseif value then groups[value] = (groups[value] or 0) + 1 else withoutGroup = withoutGroup + 1 end
  end
  if verdict == 'bare' then
    addRow('bare', job)
  elseif verdict == 'large' then
    notRead = notRead + 1
  else
    matched = matched + 1
    if not isCount then addRow('row', job) end
  end
end

local nextScore, nextMember = '', ''
if ARGV[7] == 'ids' then
  for index = 8, #ARGV, 3 do
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
      if score then look(id, score, at, ARGV[index + 1], ARGV[index + 2]) end
    end
  end
else
  local isAscending, count = ARGV[8] == '1', tonumber(ARGV[11])
  local from = rankBehind(set, isAscending, ARGV[9], ARGV[10])
  local page
  if isAscending then page = redis.call('ZRANGE', set, from, from + count - 1, 'WITHSCORES')
  elseif from < 0 then page = {}
  else page = redis.call('ZRANGE', set, math.max(0, from - count + 1), from, 'WITHSCORES') end
  local length, last = #page / 2, 0
  for nth = 1, length do
    last = nth
    local at = isAscending and 2 * nth - 1 or #page - 2 * nth + 1
    look(page[at], page[at + 1], place, nil, nil)
    if #rows >= want or bytes > ${STEP_BYTES} then break end
  end
  if last < length or length == count then
    local at = isAscending and 2 * last - 1 or #page - 2 * last + 1
    nextMember, nextScore = page[at], page[at + 1]
  end
end
local counted = {}
for value, number in pairs(groups) do
  counted[#counted + 1] = value
  counted[#counted + 1] = number
end
return {now, looked, notRead, matched, nextScore, nextMember, rows, counted, withoutGroup}
`,
};
