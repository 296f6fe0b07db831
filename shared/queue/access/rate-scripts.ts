import { nowMs } from '../engine/now-ms.js';

/** A process that has not used a key for so long has no part of its bucket, ms. */
const PART_FOR_MS = 1_000;

/**
 * Takes from the bucket of a key what a process has let pass, and says what is left. It may be less than nothing.
 *
 * The hash has \`level\`, \`at\` (ms) and, for each process that uses the key, \`p:<name>\` with the time of its last call. It is kept until the
 * bucket would be full again.
 *
 * KEYS 1 hash. ARGV 1 capacity, 2 what it gets in a millisecond, 3 taken, 4 name of the process.
 * @returns {level as a text, processes}
 */
const settle = `${nowMs}
local capacity, fill = tonumber(ARGV[1]), tonumber(ARGV[2])
local seen = redis.call('HMGET', KEYS[1], 'level', 'at')
local at = math.max(now, tonumber(seen[2]) or now)
local level = math.min(capacity, (tonumber(seen[1]) or capacity) + (at - (tonumber(seen[2]) or at)) * fill) - tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%d', at), 'p:' .. ARGV[4], string.format('%d', at))
local fields, processes = redis.call('HGETALL', KEYS[1]), 0
for index = 1, #fields, 2 do
  if string.sub(fields[index], 1, 2) == 'p:' then
    if at - tonumber(fields[index + 1]) > ${PART_FOR_MS} then redis.call('HDEL', KEYS[1], fields[index]) else processes = processes + 1 end
  end
end
redis.call('PEXPIRE', KEYS[1], string.format('%d', math.ceil((capacity - level) / fill) + ${2 * PART_FOR_MS}))
return {string.format('%.6f', level), processes}
`;

export const rateScripts = {
  krsRateSettle: { numberOfKeys: 1, lua: settle },
} as const;
