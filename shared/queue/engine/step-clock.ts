/**
 * Lua: `seconds()`, a clock by which a script sees how long it has run. Newer servers show one time to the whole script (TIME stands
 * still), and have os.clock; older ones have no os.clock, and TIME goes on.
 */
export const stepClockLua = `
local hasClock, clock = pcall(function() return os.clock end)
local function seconds()
  if hasClock then return clock() end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
`;
