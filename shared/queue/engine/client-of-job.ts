import { jobField } from './job-fields.js';

/**
 * Lua: `clientOf(job key)` tells whose task it is. It gives nil where that cannot be read: no caller that is bound to clients may then
 * take the task for one of its own.
 */
export const clientOfFunction = `
local function clientOf(job)
  local packed = redis.pcall('HGET', job, '${jobField.search}')
  local client = type(packed) == 'string' and string.match(packed, '^1([^\\31]*)\\31')
  if client then return client end
  -- A job without search fields, or with those of another version.
  local okay, data = pcall(cjson.decode, redis.pcall('HGET', job, '${jobField.data}') or '')
  if not okay or type(data) ~= 'table' or type(data['c']) ~= 'string' then return nil end
  return data['c']
end
`;
