/** Lua: sets `now` to Redis' clock in whole milliseconds. The clocks of workers and API may differ. */
export const nowMs = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;
