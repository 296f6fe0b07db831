/**
 * Due jobs that leave the delayed set with one call. BullMQ moves up to 1,000 with each: 10 ms and more in which Redis
 * answers no other command, and workers and callers wait. It is far more than a call takes: what is due must not wait
 * there.
 */
export const PROMOTED_AT_ONCE = 128;

/**
 * The same with a job that is fetched alone. What leaves the delayed set stands before what comes next: if a million jobs of a paused
 * destination are due at once, they must not queue faster than bulk deferral takes them out.
 */
export const PROMOTED_BY_FETCH = 16;

/**
 * Changes to the function of BullMQ's that moves due jobs, for replaceOnce. It stands in four of its scripts.
 * @param most Lua: the number of jobs to be moved at most
 */
export function promotePatches(most: string): readonly (readonly [text: string, by: string])[] {
  return [
    ['"LIMIT", 0, 1000)', `"LIMIT", 0, ${most})`],
    // A key may hold something else, of the queue or of a job. BullMQ takes all due jobs out of the delayed set first, and an error
    // behind that would leave the rest in no set at all: they were never sent.
    ['rcall("ZREM", delayedKey, unpack(jobs))', `rcall("LLEN", targetKey) rcall("ZCARD", prioritizedKey) ${readNumber('priorityCounterKey')}\n        rcall("ZREM", delayedKey, unpack(jobs))`],
    ['priority =\n                tonumber(rcall("HGET", jobKey, "priority")) or 0', 'priority = tonumber(valueOrNil(redis.pcall("HGET", jobKey, "priority"))) or 0'],
    ['rcall("HSET", jobKey, "delay", 0)', 'redis.pcall("HSET", jobKey, "delay", 0)'],
  ];
}

/** Lua that fails with WRONGTYPE when a key of BullMQ's holds anything but a number. */
export function readNumber(key: string): string {
  return `if not tonumber(rcall("GET", ${key}) or 0) then rcall("LLEN", ${key}) end`;
}

/** Lua that the changes need. It stands before the script. */
export const PROMOTE_FUNCTIONS = `local function valueOrNil(reply)
  if type(reply) == 'table' then return nil end
  return reply
end`;
