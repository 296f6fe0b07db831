/**
 * Lua: stores a later version than the one that is stored, and tells it. It follows the clock, so a store that was lost and made anew has other
 * versions. It needs nowMs.
 */
export const laterVersion = `
local function laterVersion(key)
  local version = string.format('%.0f', math.max(tonumber(redis.call('GET', key) or 0) + 1, now * 1000))
  redis.call('SET', key, version)
  return version
end
`;
