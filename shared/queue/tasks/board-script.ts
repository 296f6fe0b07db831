import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';

/** The fields that are always read, in the order of the reply. Each is short, whatever the task. */
const boardFields = [
  jobField.createdAt,
  jobField.name,
  jobField.options,
  jobField.delay,
  jobField.priority,
  jobField.fetches,
  jobField.attemptsMade,
  jobField.stalls,
  jobField.failedReason,
  jobField.returnValue,
  jobField.startedAt,
  jobField.finishedAt,
  jobField.worker,
  jobField.search,
  jobField.edits,
] as const;

/**
 * Jobs for the board. The log and the data of a job are read only while they fit into a budget: BullMQ's own getter reads
 * everything, twice, and a page of large messages took Redis and the API seconds.
 *
 * KEYS 1 the key before a job's id. ARGV 1 first place, 2 last place, 3 budget of the page, 4 of the data of one job (bytes),
 * then pairs: `list` or `set` and the name of a list or sorted set, or `job` and an id.
 * @returns for each job {id, fields in the order of boardFields, log, data, bytes of data, 1 when it is in the failed set}; a log
 * or data that is over the budget is nil
 */
export const boardScript: LuaScript = {
  numberOfKeys: 1,
  lua: `
local base, left = KEYS[1], tonumber(ARGV[3])
local jobs, seen = {}, {}
local function read(key, name, most)
  local bytes = redis.call('HSTRLEN', key, name)
  if bytes == 0 then return '', 0 end
  if bytes > left or bytes > most then return false, bytes end
  left = left - bytes
  return redis.call('HGET', key, name), bytes
end
local function take(id)
  if seen[id] or string.sub(id, 1, 2) ~= 't-' then return end
  seen[id] = true
  local key = base .. id
  -- The key of a job may hold something else.
  local fields = redis.pcall('HMGET', key, ${boardFields.map((name) => `'${name}'`).join(', ')})
  if not fields[1] then return end
  local log = read(key, '${jobField.log}', left)
  local data, bytes = read(key, '${jobField.data}', tonumber(ARGV[4]))
  jobs[#jobs + 1] = {id, fields, log, data, bytes, redis.call('ZSCORE', base .. 'failed', id) and 1 or 0}
end
for nth = 5, #ARGV, 2 do
  local kind, name = ARGV[nth], ARGV[nth + 1]
  if kind == 'job' then
    take(name)
  else
    local command = kind == 'list' and 'LRANGE' or 'ZREVRANGE'
    for _, id in ipairs(redis.call(command, base .. name, ARGV[1], ARGV[2])) do take(id) end
  end
end
return jobs
`,
};
