import { jobField } from '../engine/job-fields.js';
import { readFailureFieldsLua } from './failure-fields.js';

/**
 * In Lua: `dueAtOf(job key)`, when the next send of a waiting job was due, ms since the epoch. It is what attempt-due.ts
 * reads off the log, from fields that are short: a log may have 20 KB, and up to 2,000 jobs are looked at in one script.
 * It gives nil where that is not known: the job is gone, is no hash, or was last moved by an older version.
 */
export const jobDueAtLua = `${readFailureFieldsLua}
local function dueAtOf(job)
  local seen = redis.pcall('HMGET', job, '${jobField.createdAt}', '${jobField.options}', '${jobField.failure}', '${jobField.attemptsMade}', '${jobField.redrives}')
  if seen.err or not seen[1] then return nil end
  local packed, made = seen[3], tonumber(seen[4]) or 0
  if attemptsMadeOf(packed) ~= made then return nil end
  if packed then return dueAtOfFailure(packed) end
  -- The log of a job that was redriven, and has not failed since, has no other entry that tells a time before this one.
  if seen[5] then return tonumber(string.match(redis.call('HGET', job, '${jobField.log}') or '', [[\\"kind\\":\\"redrive\\".-\\"at\\":(%d+)]])) end
  return tonumber(seen[1]) + (tonumber(string.match(seen[2] or '', '"delay":(%d+)')) or 0)
end
`;
