import { SEARCH_FIELDS_VERSION } from './search-fields.js';
import { CLOCK_EVERY_BYTES, STEP_SECONDS } from './step-limits.js';

/** Members of a set whose fields are read by one command: some 0.2 ms, between which the clock is looked at. */
const READ_AT_ONCE = 100;
/** Messages that are read together, bytes. A command for each of them costs as much as to look into 500 bytes. */
const MESSAGES_AT_ONCE_BYTES = 262_144;

/**
 * Lua of a search: `lookAtSet(isAscending, score, member, most)` looks at the members of a set behind a place in it, page by page, and gives the last
 * one that was looked at, or nil at the end of the set. It needs what search-script.ts has before it.
 */
export const lookAtSetLua = `-- The names of the fields to be read of each job. Search fields alone, where by these most jobs will not match.
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

`;
