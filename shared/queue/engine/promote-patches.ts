/**
 * Due jobs that leave the delayed set with one call. BullMQ moves up to 1,000 with each: 10 ms and more in which Redis
 * answers no other command, and workers and callers wait. It is far more than a call takes: what is due must not wait
 * there.
 */
export const PROMOTED_AT_ONCE = 128;

/**
 * Changes to the function of BullMQ's that moves due jobs, for replaceOnce. It stands in four of its scripts.
 * @param most Lua: the number of jobs to be moved at most
 */
export function promotePatches(most: string): readonly (readonly [text: string, by: string])[] {
  return [
    ['"LIMIT", 0, 1000)', `"LIMIT", 0, ${most})`],
    // A job whose key holds something else. BullMQ has taken all due jobs out of the delayed set by then, and an error would
    // leave those behind it in no set at all.
    ['priority =\n                tonumber(rcall("HGET", jobKey, "priority")) or 0', 'priority = tonumber(valueOrNil(redis.pcall("HGET", jobKey, "priority"))) or 0'],
    ['rcall("HSET", jobKey, "delay", 0)', 'redis.pcall("HSET", jobKey, "delay", 0)'],
  ];
}

/** Lua that the changes need. It stands before the script. */
export const PROMOTE_FUNCTIONS = `local function valueOrNil(reply)
  if type(reply) == 'table' then return nil end
  return reply
end`;
