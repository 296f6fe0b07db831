import { jobField } from '../engine/job-fields.js';
import { ownKeys } from '../names.js';
import { SEARCH_FIELDS_VERSION } from './search-fields.js';

/**
 * A search reads no held tasks by themselves where there are more waiting lists than `atBegin` when it begins, and ends reading them where there are more than `later`
 * by then. Each costs a step 3 us, and 20 us where all its tasks have one score.
 */
export const MOST_WAITING_LISTS = { atBegin: 500, later: 750 };
/** The keys behind the key prefix of jobs. */
const suffixes = ownKeys((suffix) => suffix);
const LISTS = suffixes.waitingLists;
const LIST = suffixes.waitingList('');
/** Held tasks that are read of each waiting list at once: fewer of each where there are many lists. */
const HELD_AT_ONCE = { least: 4, most: 100 };
/**
 * A worker that puts a task back has fetched it a moment ago, ms. One that was fetched since then, and still has its place in a waiting list, is found among those that are held, whatever has
 * become of it: else a task would be missing that happens to be put back just when it is looked at. One that was fetched before has its place anew when it is put back.
 */
export const FETCHED_LATELY_MS = 2_000;

/**
 * In Lua: `isFoundAsHeld(job)`, for the places that hold tasks: whether the search finds a job among those that flow control holds, or 'unsure'.
 *
 * It needs what match-job-lua.ts has, and `since`, `sinceWaiting` and `readsHeld` of the search.
 */
export const foundAsHeldLua = `
local waitingLists = readsHeld and redis.call('ZCARD', base .. '${LISTS}') or 0
-- It reads none where there is no list.
readsHeld = waitingLists > 0
local areTooManyLists = waitingLists > ${MOST_WAITING_LISTS.later}

-- Since when flow control has held a job without a break, ms, and its waiting list, or nil. A job that was fetched at \`fetchedSince\` or later may be about to be
-- put back: it is held, too.
local function heldSince(job, fetchedSince)
  local seen = redis.pcall('HMGET', base .. job.id, '${jobField.deferredAt}', '${jobField.fetches}', '${jobField.waitingList}', '${jobField.startedAt}', '${jobField.heldAt}')
  if not seen[1] or not seen[3] or not seen[5] then return nil end
  if seen[1] ~= (seen[2] or '0') and not (fetchedSince and (tonumber(seen[1]) or 0) + 1 == tonumber(seen[2]) and (tonumber(seen[4]) or 0) >= fetchedSince) then return nil end
  if not job.heldScore and not redis.call('ZSCORE', base .. '${LIST}' .. seen[3], job.id) then return nil end
  return tonumber(seen[5]), seen[3]
end

-- Whether a bulk action has sent a job now since a time. Of a job that is due already it changes nothing else, so its mark in the log tells when.
local function wasSentNowSince(job, from)
  local log = job.bulkAction and redis.call('HGET', base .. job.id, '${jobField.log}') or ''
  return (tonumber(string.match(log, [[.*\\"kind\\":\\"sent_now\\",\\"run\\":%d+,\\"at\\":(%d+)]]) or '') or 0) >= from
end

-- What the end of a send changes.
local ofSends = {state = true, error_code = true, http_status = true, attempts = true, dead_reason = true}

-- Whether the filter, which is true of a task where it stands, was true of it among the held ones too: there it counts as one that waits. 'unsure' where that
-- cannot be said, because what the filter asks for may have changed since. An edit takes a task out of its waiting list, so it is not asked for here.
local function didMatchAsHeld(job, from)
  if not loadWhole(job) then return 'unsure' end
  local isActive = job.place == 'active'
  local wasFetched = (tonumber(job.startedAt) or 0) >= from - ${FETCHED_LATELY_MS}
  local hasOtherTimes = isActive or wasFetched or (tonumber(job.movedAt) or 0) >= from
  local failed = failureOf(job)
  -- Its waiting list may name it still. An older version has written a failure that is not known.
  local hasFailedSince = failed and (tonumber(failed[9]) or 0) >= from or not failed and wasFetched
  local asHeld = setmetatable({place = 'prioritized', state = false}, {__index = job})
  local isSure = true
  for _, condition in ipairs(plan.conditions) do
    local field = condition.field
    if hasFailedSince and ofSends[field] then
      isSure = false
    elseif field == 'state' and isActive then
      local matches = matchesCondition(plan, condition, asHeld)
      if matches == condition.isNegated then return false end
      if matches == UNKNOWN then isSure = false end
    elseif hasOtherTimes and (field == 'next_attempt_at' or field == 'updated_at') then
      isSure = false
    elseif field == 'bulk_action_id' and wasSentNowSince(job, from) then
      isSure = false
    end
  end
  return isSure or 'unsure'
end

-- Whether a task is found among the held ones: it has been there since before they were looked at. 'unsure' where it may have been found there.
local function isFoundAsHeld(job)
  if not readsHeld or job.heldScore or hasEnded[job.place] then return false end
  local from = sinceOf(job, since, sinceWaiting)
  local held = heldSince(job, from - ${FETCHED_LATELY_MS})
  if not held or held >= from then return false end
  -- There are more lists by now than are read: whether it was found before is not known.
  return areTooManyLists and 'unsure' or didMatchAsHeld(job, from)
end
`;

/**
 * In Lua: `lookAtAllHeld(isAscending, score, member, most)` looks at held tasks behind a place, those of all waiting lists in one order: since when they wait, and those
 * of one score by the order of their bytes. It gives the last one that was looked at and its score, or nil where there are none behind it, or too many lists: then one at least counts as passed over.
 *
 * It needs what search-script.ts has before it.
 */
export const heldTasksLua = `
-- A held task, by its place in a waiting list.
local function lookAtHeld(id, score, list)
  if not isJobId(id) then return end
  -- Most filters can tell by one field that a task does not match.
  local packed = needleCount > 0 and redis.pcall('HMGET', base .. id, stored.search)[1]
  if packed and byte(packed) == ${SEARCH_FIELDS_VERSION.charCodeAt(0)} and not mayMatch(packed) then return end
  local job = {id = id, place = 'prioritized', heldScore = score}
  local from = since and sinceOf(job, since, sinceWaiting)
  local held, own = heldSince(job, from and from - ${FETCHED_LATELY_MS})
  -- Its place in the list is out of date, or it came there only now: it is found where it stands.
  if own ~= list or (from and held >= from) then return end
  if redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id) then return end
  if redis.call('ZSCORE', base .. 'delayed', id) then job.place = 'delayed' end
  if loadWhole(job) then decide(job) end
end

-- The last held task that was looked at and its score, where there are more behind it.
local function lookAtAllHeld(isAscending, score, member, most)
  if areTooManyLists then
    passedOver = passedOver + 1
    return nil
  end
  local heads = {}
  local function isBefore(a, b)
    local difference = a.at - b.at
    if difference == 0 then difference = compare(a.id, b.id) end
    if isAscending then return difference < 0 end
    return difference > 0
  end
  local function sink(nth)
    while true do
      local least, left = nth, 2 * nth
      if heads[left] and isBefore(heads[left], heads[least]) then least = left end
      if heads[left + 1] and isBefore(heads[left + 1], heads[least]) then least = left + 1 end
      if least == nth then return end
      heads[nth], heads[least], nth = heads[least], heads[nth], least
    end
  end
  local names = redis.call('ZRANGE', base .. '${LISTS}', 0, -1)
  local atOnce = math.max(${HELD_AT_ONCE.least}, math.min(${HELD_AT_ONCE.most}, math.floor(most / math.max(1, #names))))
  -- The next ones of a list behind a place, ids and scores in turn. One call, unless many have the same score.
  local function readBehind(key, score, member)
    local found
    if isAscending then found = redis.call('ZRANGEBYSCORE', key, score == '' and '-inf' or score, '+inf', 'WITHSCORES', 'LIMIT', 0, atOnce)
    else found = redis.call('ZREVRANGEBYSCORE', key, score == '' and '+inf' or score, '-inf', 'WITHSCORES', 'LIMIT', 0, atOnce) end
    local first = 1
    if score ~= '' then
      local at = tonumber(score)
      while found[first] and tonumber(found[first + 1]) == at and (compare(found[first], member) <= 0) == isAscending do first = first + 2 end
      -- Descending, the place itself comes first among those that are not behind it.
      while not isAscending and found[first] == member and tonumber(found[first + 1]) == at do first = first + 2 end
    end
    if found[first] or #found < 2 * atOnce then return found, first end
    local rank = rankBehind(key, isAscending, score, member)
    if rank < 0 then return {}, 1 end
    if isAscending then return redis.call('ZRANGE', key, rank, rank + atOnce - 1, 'WITHSCORES'), 1 end
    local length = redis.call('ZCARD', key)
    return redis.call('ZREVRANGE', key, length - 1 - rank, length - 2 - rank + atOnce, 'WITHSCORES'), 1
  end
  -- The next task of a list: false where it has no more.
  local function advance(list)
    if not list.read or not list.read[list.nth] then
      list.read, list.nth = readBehind(base .. '${LIST}' .. list.name, list.score, list.id)
      if not list.read[list.nth] then return false end
    end
    list.id, list.score = list.read[list.nth], list.read[list.nth + 1]
    list.at, list.nth = tonumber(list.score), list.nth + 2
    return true
  end
  for _, name in ipairs(names) do
    local list = {name = name, score = score, id = member}
    if advance(list) then heads[#heads + 1] = list end
  end
  for nth = math.floor(#heads / 2), 1, -1 do sink(nth) end
  -- The lists themselves have taken time.
  began = seconds()
  local id, at
  for _ = 1, most do
    local first = heads[1]
    if not first then return nil end
    id, at = first.id, first.score
    lookAtHeld(id, at, first.name)
    if not advance(first) then
      heads[1] = heads[#heads]
      heads[#heads] = nil
    end
    sink(1)
    if isOver() then break end
  end
  if #heads == 0 then return nil end
  return id, at
end
`;
