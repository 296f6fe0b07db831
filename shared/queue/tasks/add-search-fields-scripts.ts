import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { readFailureFieldsLua } from '../search/failure-fields.js';

/** How many jobs are looked at, and at most written, in one step. ZSCAN may return somewhat more than it is asked for. */
const JOBS_PER_STEP = 200;
const ASKED_OF_ZSCAN = 100;

/**
 * Looks at one step of jobs, for those that have no search fields, or failure fields that are out of date.
 *
 * KEYS 1 set or list. ARGV 1 key prefix of jobs, 2 cursor, 3 'list' or 'set', 4 transitions that write no failure field: 1 where
 * jobs have been delivered, else 0.
 * @returns {next cursor, job ids ...}
 */
const findBareJobs = `${readFailureFieldsLua}
local next, ids = '0', {}
if ARGV[3] == 'list' then
  ids = redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[2] + ${JOBS_PER_STEP - 1})
  if #ids == ${JOBS_PER_STEP} then next = tostring(ARGV[2] + ${JOBS_PER_STEP}) end
else
  local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ${ASKED_OF_ZSCAN})
  next = page[1]
  for index = 1, #page[2], 2 do ids[#ids + 1] = page[2][index] end
end
local answer = {next}
for _, id in ipairs(ids) do
  -- The key of a job may hold something else.
  local seen = redis.pcall('HMGET', ARGV[1] .. id, '${jobField.search}', '${jobField.failure}', '${jobField.attemptsMade}')
  if not seen.err then
    local noted, made = attemptsMadeOf(seen[2]), tonumber(seen[3]) or 0
    local isStale = noted and (noted > made or made - noted > tonumber(ARGV[4]))
    if not seen[1] or isStale then answer[#answer + 1] = id end
  end
end
return answer
`;

/**
 * Reads the data from which the fields of some jobs are made, as long as the answer does not become too large.
 *
 * KEYS 1 where they were found. ARGV 1 key prefix of jobs, 2 how many bytes are enough, 3... job ids.
 * @returns {data, log, BullMQ's counter of attempts} of the first ones, each nil where there is none
 */
const readBareJobs = `
local answer, bytes = {}, 0
for index = 3, #ARGV do
  if bytes >= tonumber(ARGV[2]) then break end
  local job = redis.call('HMGET', ARGV[1] .. ARGV[index], '${jobField.data}', '${jobField.log}', '${jobField.attemptsMade}')
  bytes = bytes + #(job[1] or '') + #(job[2] or '')
  answer[#answer + 1] = job
end
return answer
`;

/**
 * Writes fields into jobs that have not changed since they were read.
 *
 * KEYS 1 where they were found. ARGV 1 key prefix of jobs, then for each job: id, SHA-1 of what was read, its search
 * fields, its failure fields or ''.
 * @returns how many jobs it wrote to
 */
const addFields = `
local written = 0
for index = 2, #ARGV, 4 do
  local job = ARGV[1] .. ARGV[index]
  local seen = redis.call('HMGET', job, '${jobField.data}', '${jobField.log}', '${jobField.attemptsMade}')
  if seen[1] and redis.sha1hex(seen[1] .. '\\n' .. (seen[2] or '') .. '\\n' .. (seen[3] or '')) == ARGV[index + 1] then
    redis.call('HSETNX', job, '${jobField.search}', ARGV[index + 2])
    if ARGV[index + 3] == '' then redis.call('HDEL', job, '${jobField.failure}') else redis.call('HSET', job, '${jobField.failure}', ARGV[index + 3]) end
    written = written + 1
  end
end
return written
`;

export const addSearchFieldsScripts = {
  krsFindBareJobs: { numberOfKeys: 1, lua: findBareJobs },
  krsReadBareJobs: { numberOfKeys: 1, lua: readBareJobs },
  krsAddSearchFields: { numberOfKeys: 1, lua: addFields },
} as const satisfies Readonly<Record<string, LuaScript>>;
