import { SCORE_PER_MS } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import { HINT_CHARACTERS } from './hint-characters.js';
import { MOST_MESSAGE_BYTES } from './message-values.js';


/**
 * What may be spent on the hints of one task, bytes: a text costs each byte of the message, and once more for each 16 bytes that it has itself, since
 * it may nearly stand at every place. That is 3 ms of Redis at worst, and 10 ms on a slow machine.
 */
const HINT_BYTES = 1_048_576;
const HINT_BYTES_AT_ONCE = 16;

/** BullMQ's score of a due job: its priority times this number, and the number that it got when it became due. */
const DUE_COUNTER_END = 0x1_0000_0000;

/** No send takes longer: the largest DELIVERY_TIMEOUT, ms. */
const LONGEST_SEND_MS = 3_600_000;

/** What the return value of a cancelled task begins with: see log-codec.ts. */
const CANCELLED = '{"outcome":"cancelled"';

/**
 * In Lua: the one function that decides whether a job matches a filter, `matchJob(plan, conditions, job)`. It gives true or false; 'bare'
 * where the job lacks a field that is needed, so that its data has to be looked at; 'large' where its message is too large
 * to be looked into. With conditions on the message, true means that the rest matches and `job.data` is set: messages are
 * looked into in Node, because cjson rounds numbers.
 *
 * A job is a table: id, place, and what was read of it: its score, and fields by the names in \`stored\`. \`readsOf\` says which of them a
 * condition is decided by. Where \`isLoaded\` is set, all that are needed have been read; else \`search\` alone, and a condition that
 * needs another one has them all read. A job that is gone by then gives 'gone'. \`dataBytes\` is set when its data was read.
 *
 * It needs the functions of job-due.ts before it, \`base\`, the key prefix of jobs, and in KEYS[1] the set of jobs without a score.
 */
export const matchJobLua = `
local base = ARGV[1]
local UNKNOWN = {}
local isList = {wait = true, paused = true, active = true}
local isDuePlace = {prioritized = true, wait = true, paused = true}
local hasEnded = {failed = true, completed = true}

-- The fields that are read together: the name that each has in a job, and the one that it is stored by.
local stored = {createdAt = '${jobField.createdAt}', startedAt = '${jobField.startedAt}', movedAt = '${jobField.movedAt}', search = '${jobField.search}', failure = '${jobField.failure}', attemptsMade = '${jobField.attemptsMade}', returnValue = '${jobField.returnValue}', bulkAction = '${jobField.bulkAction}', data = '${jobField.data}'}
local ofSearch, ofFailure, ofState = {'search'}, {'failure', 'attemptsMade'}, {'failure', 'attemptsMade', 'returnValue'}
local readsOf = {
  created_at = {}, next_attempt_at = {}, finished_at = {}, bulk_action_id = {'bulkAction'},
  id = ofSearch, client_id = ofSearch, source = ofSearch, destination_type = ofSearch, flow_key = ofSearch, destination_key = ofSearch,
  error_code = ofFailure, dead_reason = ofFailure, http_status = ofFailure, state = ofState, attempts = ofState,
  updated_at = {'failure', 'attemptsMade', 'startedAt', 'movedAt'},
}

-- The member of a task: t- and its id percent-encoded. An escape is written in one way only.
local function isJobId(member)
  if string.find(member, '^t%-[A-Za-z0-9%-_%.]*$') then return true end
  if string.sub(member, 1, 2) ~= 't-' or string.find(member, "[^A-Za-z0-9%-_%.!~%*'%(%)%%]") then return false end
  return not string.find(member, '%', 1, true) or not string.find(string.gsub(member, '%%[0-9A-F][0-9A-F]', ''), '%', 1, true)
end

-- {client, source, type, host, path, flow_key, flow name, bytes}, or nil.
local function searchOf(job)
  if job.words == nil then
    local words = job.search and {string.match(job.search, '^1([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31(%d+)')} or {}
    job.words = #words == 8 and words or false
  end
  return job.words
end

-- {attempts made, phase, attempts, code, status, dead reason, due, next, ended}, an empty table for a job that has not failed, or
-- false where it is not known.
local function failureOf(job)
  if job.failed == nil then
    local noted = attemptsMadeOf(job.failure)
    -- A delivery counts as an attempt, and writes no failure.
    local made = tonumber(job.attemptsMade) or 0
    local isRight = noted and (noted == made or (job.place == 'completed' and noted == made - 1))
    if not isRight then
      job.failed = false
    elseif not job.failure then
      job.failed = {}
    else
      job.failed = {string.match(job.failure, '^1(%d+)\\31(%a+)\\31(%d+)\\31([^\\31]*)\\31([^\\31]*)\\31([^\\31]*)\\31?([^\\31]*)\\31?([^\\31]*)\\31?([^\\31]*)')}
      if #job.failed == 0 then job.failed = false end
    end
  end
  return job.failed
end

local function isCancelled(job)
  return job.returnValue and string.sub(job.returnValue, 1, ${CANCELLED.length}) == '${CANCELLED}'
end

-- Only a record says what a worker decided. In the log its text is escaped once more where a receiver quotes it.
local function lastDecision(job)
  return string.match(redis.call('HGET', base .. job.id, '${jobField.log}') or '', [[.*\\"next\\":\\"([%a_]+)\\"]])
end

local function isReleasedBy(log)
  local before, last = string.match(log, [[(.*)\\"kind\\":\\"(%a+)\\"]])
  if last == 'deferral' then last = string.match(before, [[.*\\"kind\\":\\"(%a+)\\"]]) end
  return last == 'release'
end

-- nil where it is not known. It is the rule of stateOf in task-view.ts.
local function stateOf(job)
  if job.state then return job.state end
  local state
  if job.place == 'completed' then
    state = isCancelled(job) and 'cancelled' or 'delivered'
  else
    local failed = failureOf(job)
    if not failed then return nil end
    if job.place == 'failed' then
      local next = failed[8]
      if failed[2] and not (next == 'dead_lettered' or next == 'park') then next = lastDecision(job) end
      state = next == 'dead_lettered' and 'dead_lettered' or 'parked'
    elseif failed[2] == 'dead' then
      state = 'dead_lettering'
    elseif job.place == 'active' then
      state = 'delivering'
    else
      state = tonumber(failed[3] or '0') > 0 and 'retrying' or 'scheduled'
    end
  end
  job.state = state
  return state
end

-- false when the job is gone, or is no hash.
local function loadWhole(job)
  if job.isWhole then return true end
  local seen = redis.pcall('HMGET', base .. job.id, stored.createdAt, stored.startedAt, stored.movedAt, stored.search, stored.failure, stored.attemptsMade, stored.returnValue, stored.bulkAction)
  if seen.err or not tonumber(seen[1]) then return false end
  job.createdAt, job.startedAt, job.movedAt, job.search, job.failure, job.attemptsMade, job.returnValue, job.bulkAction = seen[1], seen[2], seen[3], seen[4], seen[5], seen[6], seen[7], seen[8]
  job.words, job.failed, job.state = nil, nil, nil
  job.isLoaded, job.isWhole = true, true
  return true
end

local function scoreOf(job)
  job.score = job.score or redis.call('ZSCORE', KEYS[1], job.id)
  return job.score
end

local function textOf(number)
  return number and string.format('%.0f', number) or ''
end

local function nextAttemptOf(job)
  if job.place == 'delayed' then return math.floor(tonumber(scoreOf(job)) / ${SCORE_PER_MS}) end
  if isDuePlace[job.place] then return dueAtOf(base .. job.id) end
  return nil
end

local function finishedAtOf(job)
  if hasEnded[job.place] then return tonumber(scoreOf(job)) end
  return nil
end

-- By a person, by flow control, or by a new run of a task that had ended. What moved in the same millisecond may have moved behind the look
-- at its old place.
local function wasChangedSince(job, since)
  if (tonumber(job.movedAt) or 0) >= since then return true end
  if tonumber(job.createdAt) <= since then return false end
  local options = redis.call('HGET', base .. job.id, '${jobField.options}')
  return string.find(options or '', '"run":%d') ~= nil
end

-- What moves a task writes down when, but for a task that becomes due: that is read before it. What has ended since is told by its score.
local function hasMovedSince(plan, job, since, isFirst)
  if not hasEnded[job.place] then return (tonumber(job.startedAt) or 0) >= since or wasChangedSince(job, since) end
  local hasEndedSince = tonumber(scoreOf(job)) > since
  -- A task comes to the first place, or to any if only ended ones are read, for the first time, unless it is a new run of one that was there.
  if isFirst or plan.isOfEnded then return hasEndedSince and wasChangedSince(job, since) end
  return hasEndedSince or (tonumber(job.startedAt) or 0) >= since or wasChangedSince(job, since)
end

-- Since when a move counts: see search-script.ts.
local function sinceOf(job, since, sinceWaiting)
  if not sinceWaiting or hasEnded[job.place] then return since end
  local seen = redis.call('HMGET', base .. job.id, '${jobField.options}', '${jobField.redrives}')
  if seen[2] or string.find(seen[1] or '', '"run":%d') then return since end
  return sinceWaiting
end

-- Whether a job may have come to its place since a search began, when it is looked at once more behind its end.
local function mayHaveCome(plan, job, since, dueCounter)
  if hasMovedSince(plan, job, since, false) then return true end
  if hasEnded[job.place] then return false end
  if job.place == 'prioritized' then
    -- The numbers of due jobs rise. One that was given back has none.
    local number = tonumber(scoreOf(job)) % ${DUE_COUNTER_END}
    if number > dueCounter or number == 0 then return true end
  end
  -- The failure of a send that had begun before.
  local failed = failureOf(job)
  if failed then return (tonumber(failed[9]) or 0) >= since end
  -- An older version has written the failure.
  return (tonumber(job.startedAt) or 0) >= since - ${LONGEST_SEND_MS}
end

local function canonicalHost(plan, host)
  return plan.clusterNames[host] or host
end

local valueOf = {}
function valueOf.id(_, job) return job.id end
function valueOf.state(_, job) return stateOf(job) or UNKNOWN end
function valueOf.bulk_action_id(_, job) return job.bulkAction or nil end
local function fromSearch(nth)
  return function(_, job)
    local words = searchOf(job)
    if not words then return UNKNOWN end
    return words[nth] ~= '' and words[nth] or nil
  end
end
valueOf.client_id, valueOf.source, valueOf.destination_type, valueOf.flow_key = fromSearch(1), fromSearch(2), fromSearch(3), fromSearch(6)
function valueOf.destination_key(plan, job)
  local words = searchOf(job)
  if not words then return UNKNOWN end
  return canonicalHost(plan, words[4]) .. words[5]
end
local function fromFailure(nth)
  return function(_, job)
    local failed = failureOf(job)
    if not failed then return UNKNOWN end
    return failed[nth] ~= '' and failed[nth] or nil
  end
end
valueOf.error_code, valueOf.dead_reason = fromFailure(4), fromFailure(6)
local statusOf = fromFailure(5)
function valueOf.http_status(plan, job)
  local status = statusOf(plan, job)
  return status == UNKNOWN and UNKNOWN or tonumber(status)
end
function valueOf.attempts(_, job)
  local failed = failureOf(job)
  if not failed then return UNKNOWN end
  local sends = tonumber(failed[3]) or 0
  return stateOf(job) == 'delivered' and sends + 1 or sends
end
function valueOf.created_at(_, job) return tonumber(job.createdAt) end
function valueOf.updated_at(_, job)
  local failed = failureOf(job)
  if not failed then return UNKNOWN end
  return math.max(tonumber(job.createdAt), tonumber(job.startedAt) or 0, tonumber(job.movedAt) or 0, finishedAtOf(job) or 0, tonumber(failed[9]) or 0)
end
function valueOf.next_attempt_at(_, job) return nextAttemptOf(job) end
function valueOf.finished_at(_, job) return finishedAtOf(job) end

local function groupOf(plan, job, by)
  local value = valueOf[by](plan, job)
  if value == UNKNOWN or value == nil then return value end
  return tostring(value)
end

local function isOneOf(condition, value)
  if value == nil then return false end
  if condition.exists then return true end
  if condition.texts and condition.texts[value] then return true end
  for _, prefix in ipairs(condition.prefixes or {}) do
    if string.sub(value, 1, #prefix) == prefix then return true end
  end
  for _, range in ipairs(condition.ranges or {}) do
    if (not range.min or value >= range.min) and (not range.max or value <= range.max) then return true end
  end
  return false
end

-- Was the path hidden only after the fields were written? They are made anew then, from the data: see scan-step.ts.
local function isOpenPath(path)
  for segment in string.gmatch(path, '[^/]+') do
    if #segment ~= 33 or not string.find(segment, '^%*[0-9a-f]+$') then return true end
  end
  return false
end

-- A host matches all that is in it, and a flow_key the tasks that have it.
local function matchesDestination(plan, condition, job)
  local words = searchOf(job)
  if not words then return UNKNOWN end
  local host = canonicalHost(plan, words[4])
  if condition.hidden and condition.hidden[words[4]] and isOpenPath(words[5]) then return UNKNOWN end
  if isOneOf(condition, host .. words[5]) or isOneOf(condition, host) then return true end
  local flow = words[7] ~= '' and words[7] or words[6]
  return flow ~= '' and isOneOf(condition, flow)
end
local function matchesFlowKey(condition, job)
  local words = searchOf(job)
  if not words then return UNKNOWN end
  return (words[6] ~= '' and isOneOf(condition, words[6])) or (words[7] ~= '' and isOneOf(condition, words[7]))
end

local function matchesCondition(plan, condition, job)
  if condition.field == 'destination_key' then return matchesDestination(plan, condition, job) end
  if condition.field == 'flow_key' then return matchesFlowKey(condition, job) end
  local value = valueOf[condition.field](plan, job)
  if value == UNKNOWN then return UNKNOWN end
  return isOneOf(condition, value)
end

-- A message in which none of the texts stands, not even with an escape in it, cannot have one of them as a value. Their beginnings are looked for.
local function mayHave(data, texts, most)
  if #texts == 0 then return true end
  for _, text in ipairs(texts) do
    if string.find(data, string.sub(text, 1, most), 1, true) then return true end
  end
  return string.find(data, '\\\\\\\\u', 1, true) ~= nil
end

-- Whether its hints alone say that a message does not match. Hints that are too many or too long for it are cut, or passed over: Node decides then.
local function lacksHint(plan, data)
  local left = ${HINT_BYTES}
  for _, texts in ipairs(plan.messageHints) do
    local size = math.max(1, #data * #texts)
    local most = math.min(${HINT_CHARACTERS}, math.floor((left / size - 1) * ${HINT_BYTES_AT_ONCE}))
    if most > 0 then
      left = left - size * (1 + most / ${HINT_BYTES_AT_ONCE})
      if not mayHave(data, texts, most) then return true end
    end
  end
  return false
end

local function matchJob(plan, conditions, job)
  local isBare = false
  for _, condition in ipairs(conditions) do
    if not job.isLoaded and readsOf[condition.field] ~= ofSearch and not loadWhole(job) then return 'gone' end
    local matches = matchesCondition(plan, condition, job)
    if matches == UNKNOWN then isBare = true elseif matches == condition.isNegated then return false end
  end
  if isBare then return 'bare' end
  if not plan.looksIntoMessage then return true end
  local words = searchOf(job)
  if not words then return 'bare' end
  if tonumber(words[8]) > ${MOST_MESSAGE_BYTES} then return 'large' end
  job.data = redis.call('HGET', base .. job.id, '${jobField.data}') or ''
  job.dataBytes = #job.data
  if not lacksHint(plan, job.data) then return true end
  job.data = nil
  return false
end

local function compare(a, b)
  for index = 1, math.min(#a, #b) do
    local of, with = string.byte(a, index), string.byte(b, index)
    if of ~= with then return of < with and -1 or 1 end
  end
  return #a - #b
end

-- The rank of the first member behind a place, in the direction of the search. Members of one score stand in the order of their bytes.
local function rankBehind(set, isAscending, score, member)
  if score == '' then return isAscending and 0 or redis.call('ZCARD', set) - 1 end
  local low = redis.call('ZCOUNT', set, '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', set, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local order = compare(redis.call('ZRANGE', set, middle, middle)[1], member)
    if order > 0 or (order == 0 and not isAscending) then high = middle else low = middle + 1 end
  end
  return isAscending and low or low - 1
end
`;
