import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { PRIORITY_NORMAL } from '../engine/job-priority.js';
import { stepClockLua } from '../engine/step-clock.js';
import { jobDueAtLua } from './job-due.js';
import { foundAsHeldLua, heldTasksLua } from './held-tasks-lua.js';
import { matchJobLua } from './match-job-lua.js';
import { SEARCH_FIELDS_VERSION } from './search-fields.js';

/** Data looked into in one step, bytes. */
const STEP_BYTES = 4_194_304;
/**
 * A step ends after this time, seconds, however much it has looked at. So it suits any machine, and any mixture of short and long tasks:
 * 1,000 tasks took 2 ms where most of them could be told by one field, and 26 ms on a slower machine where all of them had to be read.
 */
const STEP_SECONDS = 0.004;
/** Members of a set whose fields are read by one command: some 0.2 ms, between which the clock is looked at. */
const READ_AT_ONCE = 100;
/** The clock is looked at after so many members, and after each 64 KiB of data: it costs 1 us. */
const CLOCK_EVERY = 16;
const CLOCK_EVERY_BYTES = 65_536;

/** Messages that are read together, bytes. A command for each of them costs as much as to look into 500 bytes. */
const MESSAGES_AT_ONCE_BYTES = 262_144;

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

-- The names of the fields to be read of each job. Search fields alone, where by these most jobs will not match.
local function fieldsToRead()
  local isSelective, isNamed, names = plan.looksIntoMessage, {}, {}
  local function add(fields)
    for _, name in ipairs(fields) do
      if not isNamed[name] then
        isNamed[name] = true
        names[#names + 1] = name
      end
    end
  end
  add({'createdAt'})
  for _, condition in ipairs(conditions) do
    add(readsOf[condition.field])
    if readsOf[condition.field] == ofSearch and not condition.isNegated then isSelective = true end
  end
  if isSelective then return ofSearch end
  if readsOf[by] then add(readsOf[by]) end
  if since then add({'startedAt', 'movedAt'}) end
  return names
end

-- The values of these fields, job after job in the order of the set.
local function readFields(names, from, count)
  local command = {'SORT_RO', set, 'BY', 'nosort', 'LIMIT', from, count}
  for _, name in ipairs(names) do
    command[#command + 1] = 'GET'
    command[#command + 1] = base .. '*->' .. stored[name]
  end
  local values = redis.pcall(unpack(command))
  if not values.err then return values end
  local fields, each = {}, {}
  for nth, name in ipairs(names) do fields[nth] = stored[name] end
  for _, id in ipairs(redis.call('ZRANGE', set, from, from + count - 1)) do
    local seen = redis.pcall('HMGET', base .. id, unpack(fields))
    for nth = 1, #fields do each[#each + 1] = seen[nth] or false end
  end
  return each
end

-- Whether one of each group of texts stands in search fields. Most filters have one text: no loop is needed for it.
local find, match, byte = string.find, string.match, string.byte
local function hasOneOf(packed, texts)
  for _, text in ipairs(texts) do
    if find(packed, text, 1, true) then return true end
  end
  return false
end
local function mayMatch(packed)
  for _, texts in ipairs(plan.needles) do
    if not hasOneOf(packed, texts) then return false end
  end
  return true
end
local needleCount = 0
for _, texts in ipairs(plan.needles) do needleCount = needleCount + #texts end
if #plan.needles == 1 and #plan.needles[1] == 1 then
  local text = plan.needles[1][1]
  mayMatch = function(packed) return find(packed, text, 1, true) end
end

-- First and last rank that can match.
local function ranksToRead()
  local low, high = plan.scores[place] and plan.scores[place].min, plan.scores[place] and plan.scores[place].max
  local first = low and redis.call('ZCOUNT', set, '-inf', '(' .. low) or 0
  local last = (high and redis.call('ZCOUNT', set, '-inf', high) or redis.call('ZCARD', set)) - 1
  if not since or not hasEnded[place] or way == 'first' then return first, last end
  -- What has ended since the search began is not read here, but when it is looked again.
  local behind = redis.call('ZCOUNT', set, '-inf', string.format('%.0f', since))
  if way == 'again' then return math.max(first, behind), last end
  return first, math.min(last, behind - 1)
end

local hasHints = false
for _, texts in ipairs(plan.messageHints) do hasHints = hasHints or #texts > 0 end
-- As lacksHint, for messages that are read together. Most filters look for one text, for which no message that is read together is too long.
local isOut, sinceClock = function(data) return lacksHint(plan, data) end, 0
if #plan.messageHints == 1 and #plan.messageHints[1] == 1 then
  local text = plan.messageHints[1][1]
  isOut = function(data) return not find(data, text, 1, true) and not find(data, '\\\\\\\\u', 1, true) end
end

-- The data of a part of the ranks, where nothing but the message can tell that most of them do not match, and all are short.
local function messagesOf(packed, first, count)
  if not hasHints or needleCount > 0 then return {} end
  local sum = 0
  for nth = 1, count do
    local size = packed[nth] and byte(packed[nth]) == ${SEARCH_FIELDS_VERSION.charCodeAt(0)} and tonumber(match(packed[nth], '\\31(%d+)$', -7))
    if not size then return {} end
    sum = sum + size
  end
  return sum <= ${MESSAGES_AT_ONCE_BYTES} and readFields({'data'}, first, count) or {}
end

-- Looks at a part of the ranks, the one that the search comes to first. It gives how many members were looked at, and whether the step has to end.
local function lookAtRanks(isAscending, first, count, names)
  local values, isSearch = readFields(names, first, count), names == ofSearch
  local messages = isSearch and messagesOf(values, first, count) or {}
  -- The names of members are not needed where hardly one of them matches.
  local page, named = nil, 0
  local function memberAt(at)
    named = named + 1
    if named == 1 then return redis.call('ZRANGE', set, first + at - 1, first + at - 1)[1] end
    page = page or redis.call('ZRANGE', set, first, first + count - 1)
    return page[at]
  end
  for nth = 1, count do
    local at = isAscending and nth or count - nth + 1
    local found = (at - 1) * #names
    local packed = isSearch and values[at]
    local message = messages[at]
    if message and isOut(message) then
      local size = #message
      looked, bytes, sinceClock = looked + 1, bytes + size, sinceClock + size
      if sinceClock >= ${CLOCK_EVERY_BYTES} then
        sinceClock = 0
        if isOver() then return nth, true end
      end
    elseif packed and byte(packed) == ${SEARCH_FIELDS_VERSION.charCodeAt(0)} and not mayMatch(packed) then
      looked = looked + 1
      -- A few texts are looked for in less time than the clock takes.
      if needleCount > 4 then
        needleBytes = needleBytes + needleCount * #packed
        if isOver() then return nth, true end
      end
    else
      local id = memberAt(at)
      if not (packed or tonumber(values[found + 1])) then
        look(id, nil, place)
      elseif isJobId(id) then
        local job = {id = id, place = place, isLoaded = not isSearch}
        for index, name in ipairs(names) do job[name] = values[found + index] end
        decide(job)
      end
      if isOver() then return nth, true end
    end
  end
  return count, seconds() - began > ${STEP_SECONDS}
end

-- The last member that was looked at, where there are more behind it.
local function lookAtSet(isAscending, score, member, most)
  local low, high = ranksToRead()
  local from = rankBehind(set, isAscending, score, member)
  if isAscending then low = math.max(low, from) else high = math.min(high, from) end
  local all, done, mustEnd = high - low + 1, 0, false
  if all < 1 then return nil end
  -- What stands in the first place since before the search began has not moved, if tasks only end there.
  if since and way == 'first' and hasEnded[place] and (isAscending and low + most or high) < redis.call('ZCOUNT', set, '-inf', string.format('%.0f', since)) then since = nil end
  local names = fieldsToRead()
  while done < math.min(most, all) and not mustEnd do
    local count, through = math.min(${READ_AT_ONCE}, most - done, all - done), 0
    through, mustEnd = lookAtRanks(isAscending, isAscending and low + done or high - done - count + 1, count, names)
    done = done + through
  end
  if done == all then return nil end
  local last = isAscending and low + done - 1 or high - done + 1
  return redis.call('ZRANGE', set, last, last)[1]
end

${heldTasksLua}
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
