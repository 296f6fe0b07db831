import { bulkCountNames } from '../../domain/bulk-actions/bulk-counts.js';
import { statesTakenBy } from '../../domain/task/state-actions.js';
import { taskStates, type TaskState } from '../../domain/task/task.js';
import type { LuaScript } from '../engine/lua-script.js';
import { bulkNextScript, PREPARED } from './override-tasks.js';

/** Answers that are no number of tasks. `busy`: another worker has the lease. `stale`: the action has changed since the caller read it. */
export const BULK_STEP = { busy: -1, stale: -2 } as const;

/** The state of an id that no task had when it was looked at. */
export const GONE = 'gone';
/** The state of an id that no task of the caller's clients had: it counts as gone, whatever another client does with it. */
export const NOT_OWN = 'foreign';

/** A task hardly begins more new runs than this while it is matched. */
const RUNS_BEFORE = 2;
/** Nor is it sent more often. */
const SENDS_BEFORE = 8;

/** Waiting states of a task that was sent in its run. */
const sentBefore = ['retrying', 'dead_lettering'] as const satisfies readonly TaskState[];

const luaTexts = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(', ');

/** A step or a fence that was begun before its action was removed comes within this time, ms. */
const LATE_MS = 60_000;

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
export const lease = `
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
