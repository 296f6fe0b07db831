import { SCORE_PER_MS } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import { PRIORITY_NORMAL } from '../engine/job-priority.js';
import { waitingPlaceFunctions } from './waiting-place-lua.js';
import { flowOfJobLua } from './flow-of-job-lua.js';

/**
 * Defers due jobs that no worker has fetched yet, because their destination has no room: to fetch each of thousands only
 * to put it back takes all workers seconds, and all other tasks wait behind them. It looks only at the head of the queue, and
 * where the queue is short at the due jobs in the delayed set, which come next.
 *
 * In the delayed set it leaves priority jobs, because their place in a waiting list is another one, and jobs that were woken a moment ago.
 *
 * A job's search fields say of which flow its deliveries are, its failure fields whether it is still in that phase
 * (decision 11). A job that is a dead letter by now stays, and so does one whose fields are missing or out of date because
 * an older version stored or moved it: it is fetched, decoded and put back like any single one.
 * Text that a receiver sent cannot say since when a job waits: in the log its quotes are escaped twice.
 *
 * It is what BullMQ's moveToDelayed does to a job, less the lock that this one has not got. A marker is not needed:
 * no worker waits for the end of a safety time.
 *
 * The waiting list of a host holds "the others" of it: single tasks whose endpoint no second task has shown to be one. A job goes
 * there only if its own flow is not known, and if the jobs that are looked at hold no second one of it. Otherwise
 * a thousand tasks to one fast endpoint, which no worker has fetched yet, would wait behind the slow ones. If the whole host is
 * paused, none of them is fast: each of its jobs is deferred, those of known flows into lists of their own.
 *
 * KEYS 1 prioritized, 2 delayed, 3 waiting lists. ARGV 1 key prefix of jobs, 2 how many to look at, 3 now (ms), 4 until (ms),
 * 5 key prefix of waiting lists, 6 how many names the default cluster has, 7... these names, the one to be used first; then how many
 * flows are known, their ids; then what a job has to be (`matchesOf`), the waiting list, and why its tasks wait, in turn.
 * @returns {looked at, deferred}
 */
export const bulkDefer = `${flowOfJobLua}${waitingPlaceFunctions}
local isKnown, waitingListOf, reasonOf = {}, {}, {}
local names = tonumber(ARGV[6])
nameDefaultCluster(7, names)
local known = 7 + names
for index = known + 1, known + tonumber(ARGV[known]) do isKnown[ARGV[index]] = true end
for index = known + tonumber(ARGV[known]) + 1, #ARGV, 3 do
  waitingListOf[ARGV[index]] = ARGV[index + 1]
  reasonOf[ARGV[index + 1]] = ARGV[index + 2]
end
-- A job that leaves the queue must have a place to go to.
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
local wanted = tonumber(ARGV[2])
local found, deferred = redis.call('ZRANGE', KEYS[1], 0, wanted - 1), 0
local queued = #found
if queued < wanted then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', (tonumber(ARGV[3]) + 1) * ${SCORE_PER_MS} - 1, 'BYSCORE', 'LIMIT', 0, wanted - queued)) do found[#found + 1] = id end
end
local seenOf, flowAt, jobsOf = {}, {}, {}
for nth, id in ipairs(found) do
  local seen = redis.pcall('HMGET', ARGV[1] .. id, '${jobField.search}', '${jobField.failure}', '${jobField.attemptsMade}', '${jobField.fetches}', '${jobField.log}', '${jobField.priority}', '${jobField.deferredAt}')
  local flow = flowOfJob(seen[1], seen[2], seen[3])
  seenOf[nth] = seen
  flowAt[nth] = flow
  if flow then jobsOf[flow[1]] = (jobsOf[flow[1]] or 0) + 1 end
end
local function waitingListOfJob(flow)
  local id, endpoint, host, hasFlowKey = flow[1], flow[2], flow[3], flow[4]
  local own = hasFlowKey and (waitingListOf[id .. '\\n' .. endpoint] or waitingListOf['\\n' .. endpoint]) or waitingListOf[id]
  if own then return own end
  local ofAll = waitingListOf['\\n' .. host]
  if ofAll then return isKnown[id] and id or ofAll end
  return not isKnown[id] and jobsOf[id] == 1 and waitingListOf[host] or nil
end
local isShut = {paused = true, circuit_open = true}
local function isPriority(seen)
  return (tonumber(seen[6]) or 0) < ${PRIORITY_NORMAL}
end
local function mayLeaveDelayed(seen, reason)
  if isPriority(seen) then return false end
  return isShut[reason] or not seen[7] or seen[7] ~= (seen[4] or '0')
end
for nth, id in ipairs(found) do
  local waitingList = flowAt[nth] and waitingListOfJob(flowAt[nth])
  if waitingList and (nth <= queued or mayLeaveDelayed(seenOf[nth], reasonOf[waitingList] or 'paused')) then
    local job, seen = ARGV[1] .. id, seenOf[nth]
    if nth <= queued then redis.call('ZREM', KEYS[1], id) end
    redis.call('ZADD', KEYS[2], tonumber(ARGV[4]) * ${SCORE_PER_MS}, id)
    local place, before = placeOf(job, id, ARGV[5], seen[4] or '0')
    redis.call('HSET', job, '${jobField.deferredAt}', seen[4] or '0', '${jobField.waitsFor}', reasonOf[waitingList] or 'paused', '${jobField.movedAt}', heldAt)
    -- They keep the order of the queue, except those that have been in a waiting list before.
    local since = tonumber(string.match(seen[5] or '', [[\\"kind\\":\\"deferral\\",.-\\"since\\":(%d+)]]) or ARGV[3] + nth / 1000)
    toPlace(job, id, ARGV[5], KEYS[3], waitingList, since, isPriority(seen), place, before)
    deferred = deferred + 1
  end
end
return {#found, deferred}
`;
