import type { Queue } from 'bullmq';
import { bullmqScripts, STALL_KEYS } from './bullmq-contract.js';
import { luaFunction } from './bullmq-script.js';
import type { DefinedScripts } from './defined-scripts.js';
import { jobField } from './job-fields.js';
import type { LuaScript } from './lua-script.js';
import { recordCall, type RecordedCall } from './recorded-call.js';

const { keys: KEYS, values: VALUES } = bullmqScripts.moveStalledJobsToWait;

/**
 * Takes jobs from a worker that is dead, though their locks have not lapsed: they count as stalled and go to the head of
 * the queue, by BullMQ's own script. A job belongs to the worker that fetched it last, whose name BullMQ writes into it in
 * the same step in which it sets the lock. So a job that has ended meanwhile, or that another worker has by now, is left alone.
 *
 * KEYS BullMQ's, in its order, with two keys of ours in place of its set of stalled jobs and of the mark that keeps it from
 * looking too often; then its own set. ARGV BullMQ's, then the name of the worker and the ids of jobs.
 * @returns how many were taken
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function takeOverScript(bullmq: DefinedScripts): LuaScript {
  const [stalled, mark] = [`KEYS[${STALL_KEYS.stalled}]`, `KEYS[${STALL_KEYS.mark}]`];
  return {
    numberOfKeys: KEYS + 1,
    lua: `${luaFunction(bullmq, 'moveStalledJobsToWait', 'moveStalled')}
redis.call('DEL', ${stalled}, ${mark})
local found = false
for index = ${VALUES + 2}, #ARGV do
  local job = ARGV[${STALL_KEYS.prefixValue}] .. ARGV[index]
  -- The key of a job may hold something else.
  if redis.pcall('HGET', job, '${jobField.worker}') == ARGV[${VALUES + 1}] then
    -- First this: a full Redis refuses it, and then the job keeps its lock.
    redis.call('SADD', ${stalled}, ARGV[index])
    redis.call('DEL', job .. ':lock')
    found = true
  end
end
if not found then return 0 end
local taken = moveStalled(KEYS, ARGV)
redis.call('DEL', ${stalled}, ${mark})
for _, id in ipairs(taken) do redis.call('SREM', KEYS[${KEYS + 1}], id) end
return #taken
`,
  };
}

/** The call of BullMQ's own check for stalled jobs. @throws EngineMismatchError when BullMQ makes it in another way */
export function recordStallCheck(queue: Queue): Promise<RecordedCall> {
  return recordCall(queue.getBackend(), 'moveStalledJobsToWait', (backend) => backend.moveStalledJobsToWait());
}
