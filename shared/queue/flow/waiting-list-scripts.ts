import { PUT_BACK_JOB } from '../engine/bullmq-contract.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import { SCORE_PER_MS } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import { PRIORITY_NORMAL } from '../engine/job-priority.js';
import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';
import { PUT_BACK_KEYS, putBackFunction } from '../engine/put-back.js';
import { FETCHED_LATELY_MS } from '../search/held-tasks-lua.js';
import { PRIORITY_AHEAD_MS, waitingPlaceFunctions } from './waiting-place-lua.js';
import { flowOfJobLua } from './flow-of-job-lua.js';
import { bulkDefer } from './bulk-defer-script.js';

/** Lua of waiting-lists.ts: one queue's keys, and BullMQ's own steps are left to BullMQ. */

/**
 * Puts a job that is being processed back into the delayed set, by BullMQ's own script, and remembers in the same step
 * that it waits for a destination: a worker that is killed in between would leave a job that no worker wakes.
 *
 * The job keeps the name of its waiting list, so that a cancellation can remove it there.
 *
 * KEYS 1..11 BullMQ's, 12 waiting list, 13 waiting lists. ARGV BullMQ's, then key prefix of waiting lists, since (ms), flow key.
 * Its reply: {BullMQ's answer: 0, or an error below, jobs in the waiting list}
 */
export function deferScript(bullmq: DefinedScripts): LuaScript {
  const job = `KEYS[${PUT_BACK_JOB.key}]`;
  return {
    numberOfKeys: PUT_BACK_KEYS + 2,
    lua: `${putBackFunction(bullmq)}${waitingPlaceFunctions}
local id, base, since, waitingList = ARGV[${PUT_BACK_JOB.id}], ARGV[#ARGV - 2], tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
-- It was fetched once since the last deferral, if it is held still.
local seen = redis.pcall('HMGET', ${job}, '${jobField.fetches}', '${jobField.startedAt}')
local fetches = tonumber(seen[1] or '0')
-- A send may have lasted: a search that read the held tasks meanwhile did not find it there.
local isNew = now - (tonumber(seen[2]) or 0) > ${FETCHED_LATELY_MS}
local place, before = placeOf(${job}, id, base, string.format('%d', fetches - 1))
local result = putBack(KEYS, ARGV)
if result ~= 0 then return {result, 0} end
local isPriority = (tonumber(redis.call('HGET', ${job}, '${jobField.priority}')) or 0) < ${PRIORITY_NORMAL}
toPlace(${job}, id, base, KEYS[${PUT_BACK_KEYS + 2}], waitingList, since, isPriority, place, before, isNew)
return {result, redis.call('ZCARD', KEYS[${PUT_BACK_KEYS + 1}])}
`,
  };
}

/**
 * Makes one deferred job due: BullMQ takes what is due out of the delayed set by itself. A job that was fetched since its
 * deferral (\`ats\` counts that) may wait for a backoff now, and must not come early.
 */
export const makeDueFunction = `
local function makeDue(delayed, job, id, listed)
  local score = redis.call('ZSCORE', delayed, id)
  -- The key of a job may hold something else: then there is no field in what follows.
  local seen = redis.pcall('HMGET', job, '${jobField.deferredAt}', '${jobField.fetches}')
  if not (seen[1] and seen[1] == (seen[2] or '0')) then return false end
  -- A search that found it where it was, or among those that are held, must not find it again where it is now.
  redis.call('HSET', job, '${jobField.movedAt}', string.format('%d', now))
  if not score then return false end
  -- Due since it was deferred: so those that wait longest come first. But now at the latest, also one that was
  -- deferred by a worker whose clock is ahead: no other worker would find it due until then.
  local since = tonumber(listed)
  if since < 0 then since = since + ${PRIORITY_AHEAD_MS} end
  local due = math.min(since, now) * ${SCORE_PER_MS}
  if tonumber(score) > due then redis.call('ZADD', delayed, due, id) end
  return true
end
`;

/**
 * Makes the first deferred jobs of a waiting list due, priority jobs before the others, then the oldest.
 *
 * KEYS 1 waiting list, 2 waiting lists, 3 delayed, 4 marker. ARGV 1 key prefix of jobs, 2 how many, 3 flow key.
 * @returns {jobs that are due now, jobs left in the waiting list}
 */
const wakeFirstJobs = `${nowMs}${makeDueFunction}
local woken, want, looks = 0, tonumber(ARGV[2]), 500
while woken < want and looks > 0 do
  looks = looks - 1
  local popped = redis.call('ZPOPMIN', KEYS[1])
  if #popped == 0 then break end
  if makeDue(KEYS[3], ARGV[1] .. popped[1], popped[1], popped[2]) then woken = woken + 1 end
end
if woken > 0 then redis.call('ZADD', KEYS[4], 0, '0') end
local left = redis.call('ZCARD', KEYS[1])
if left == 0 then redis.call('ZREM', KEYS[2], ARGV[3]) end
return {woken, left}
`;

/**
 * Moves jobs into the waiting list of their own flow. They keep their place in the order. A job that no longer waits in
 * the first list, or has been fetched since, stays as it is.
 *
 * KEYS 1 waiting list, 2 waiting lists, 3 waiting list of the flow. ARGV 1 key prefix of jobs, 2 and 3 the names of both lists, 4... job ids.
 * @returns jobs that were moved
 */
const moveJobs = `
local moved = 0
for index = 4, #ARGV do
  local job = ARGV[1] .. ARGV[index]
  local score = redis.call('ZSCORE', KEYS[1], ARGV[index])
  -- The key of a job may hold something else: then it stays where it is.
  local seen = redis.pcall('HMGET', job, '${jobField.deferredAt}', '${jobField.fetches}', '${jobField.waitingList}')
  if score and seen[1] and seen[1] == (seen[2] or '0') and (seen[3] or ARGV[2]) == ARGV[2] then
    redis.call('ZREM', KEYS[1], ARGV[index])
    redis.call('ZADD', KEYS[3], score, ARGV[index])
    redis.call('HSET', job, '${jobField.waitingList}', ARGV[3])
    local since = tonumber(score)
    redis.call('ZADD', KEYS[2], 'NX', since < 0 and since + ${PRIORITY_AHEAD_MS} or since, ARGV[3])
    moved = moved + 1
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[2]) end
return moved
`;

/**
 * Of which flows some of the jobs in a waiting list are, the newest first. A dead letter is left out that was put there by a version
 * which did not write its flow.
 *
 * KEYS 1 waiting list. ARGV 1 key prefix of jobs, 2 how many newer ones to pass over, 3 how many to look at, 4 how many names the default
 * cluster has, 5... these names, the one to be used first.
 * @returns {looked at, then job id and id of the flow in turn}
 */
const lookAtWaiting = `${flowOfJobLua}
nameDefaultCluster(5, tonumber(ARGV[4]))
local found = redis.call('ZREVRANGE', KEYS[1], ARGV[2], tonumber(ARGV[2]) + tonumber(ARGV[3]) - 1)
local flows = {#found}
for _, id in ipairs(found) do
  local seen = redis.pcall('HMGET', ARGV[1] .. id, '${jobField.search}', '${jobField.failure}', '${jobField.attemptsMade}', '${jobField.deadFlow}')
  local flow = flowOfJob(seen[1], seen[2], seen[3])
  local name = flow and flow[1] or phaseOf(seen[2], seen[3]) == 'dead' and seen[4]
  if name then
    flows[#flows + 1] = id
    flows[#flows + 1] = name
  end
end
return flows
`;

/**
 * Some of the waiting lists, from one of them on towards the oldest. So a walk passes over none: lists that go meanwhile move only those
 * that were seen already into the ranks that are still to come.
 *
 * KEYS 1 waiting lists. ARGV 1 how many, 2 the rank of the newest one to be told, -1 for the newest of all.
 * @returns {rank of the next one or -1, then flow keys}
 */
const nextWaitingLists = `
local newest = redis.call('ZCARD', KEYS[1]) - 1
local last = tonumber(ARGV[2])
if last < 0 or last > newest then last = newest end
if last < 0 then return {-1} end
local first = math.max(0, last - ARGV[1] + 1)
return {first - 1, unpack(redis.call('ZRANGE', KEYS[1], first, last))}
`;

/**
 * How many jobs wait in some of the waiting lists, and in those that are named.
 *
 * KEYS 1 waiting lists. ARGV 1 what a waiting list's key begins with, 2 and 3 the first and the last rank, the oldest list has 0; 4... names.
 * @returns {waiting lists in all, then those that are not empty and their lengths in turn}
 */
const waitingListDepths = `
local found, isKnown = {redis.call('ZCARD', KEYS[1])}, {}
local function look(waitingList)
  if isKnown[waitingList] then return end
  isKnown[waitingList] = true
  local waiting = redis.call('ZCARD', ARGV[1] .. waitingList)
  if waiting == 0 then return end
  found[#found + 1] = waitingList
  found[#found + 1] = waiting
end
for index = 4, #ARGV do look(ARGV[index]) end
for _, waitingList in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])) do look(waitingList) end
return found
`;

export const waitingListScripts = {
  krsWakeWaitingList: { numberOfKeys: 4, lua: wakeFirstJobs },
  krsMoveWaitingJobs: { numberOfKeys: 3, lua: moveJobs },
  krsLookAtWaiting: { numberOfKeys: 1, lua: lookAtWaiting },
  krsBulkDefer: { numberOfKeys: 3, lua: bulkDefer },
  krsNextWaitingLists: { numberOfKeys: 1, lua: nextWaitingLists },
  krsWaitingListDepths: { numberOfKeys: 1, lua: waitingListDepths },
} as const;
