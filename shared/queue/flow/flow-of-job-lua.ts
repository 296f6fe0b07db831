import { readFailureFieldsLua } from '../search/failure-fields.js';
import { unpackSearchFieldsLua } from '../search/search-fields.js';

/**
 * Functions for the flow of a job's deliveries, told by its search fields. `nameDefaultCluster(first, count)` has to be called before:
 * which arguments are the names of the default cluster, the one to be used first. Which brokers these are is this worker's to say,
 * whatever the API thinks of it.
 */
export const flowOfJobLua = `${unpackSearchFieldsLua}${readFailureFieldsLua}
local isDefaultCluster, defaultCluster = {}, ''
local function nameDefaultCluster(first, count)
  defaultCluster = ARGV[first]
  for index = first, first + count - 1 do isDefaultCluster[ARGV[index]] = true end
end
local function canonical(name)
  local cluster, rest = string.match(name, '^(kafka://[^/]+)(.*)$')
  return isDefaultCluster[cluster or ''] and defaultCluster .. rest or name
end
-- {id of the flow, endpoint, host, whether it has a flow_key}, or nil for a job that is to be left.
local function flowOfJob(packed, failure, attemptsMade)
  local fields = unpackSearchFields(packed)
  if not fields or phaseOf(failure, attemptsMade) ~= 'delivery' then return nil end
  local host, flowKey, flowName = canonical(fields[4]), fields[6], fields[7]
  local endpoint, name = host .. fields[5], canonical(flowName == '' and flowKey or flowName)
  -- As in flowOf of flow-key.ts.
  if flowKey == '' or name == host then return {endpoint .. '\\n' .. host, endpoint, host, false} end
  return {name .. '\\n' .. host, endpoint, host, true}
end
`;
