import { jobField } from './job-fields.js';

/**
 * Lua: `isLastCopy(job key)` of a job in the failed set.
 *
 * Only a record that says "the dead letter was delivered" proves that another copy exists. Every other job in the failed
 * set (parked, or with a log that cannot be read) is taken to be the last copy.
 */
export const isLastCopyFunction = `
local function isLastCopy(job)
  -- The key may hold something else than a job: then this is an error, which is no JSON either.
  local read, log = pcall(cjson.decode, redis.pcall('HGET', job, '${jobField.log}') or '')
  if not read or type(log) ~= 'table' then return true end
  local known, entry = pcall(cjson.decode, log[#log] or '')
  return not known or type(entry) ~= 'table' or entry['next'] ~= 'dead_lettered'
end
`;
