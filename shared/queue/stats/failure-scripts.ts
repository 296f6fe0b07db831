/** Lua of failure-store.ts. */

/** GET /failures goes back a day; the first bucket of it has to be whole. */
const KEPT_S = 86_400 + 600;

export const FAILURE_BUCKET_S = 300;

/** Values of each group among the arguments of `add`. */
const GROUP_VALUES = 8;

/** Sends of dead letters among those of a group. An older version writes none: then they count as deliveries. */
export const DEAD = 'dead';

/**
 * A bucket is a hash. `n` is the number of its groups, `g:<group>` the number of one, and under that number stand what was decided (`4:retry`),
 * how many were dead letters (`4:dead`), and `4:t`: the first and last time and the newest ids. So the name of a group, which may be long, stands there once.
 *
 * KEYS 1 what a bucket's key begins with. ARGV 1 most groups in a bucket, then for each group its name, the counts retry, dead_letter,
 * park and dead, the first and the last time (ms), and the newest ids, divided by ASCII 31.
 * @returns 1
 */
const add = `
local second = tonumber(redis.call('TIME')[1])
local bucket = KEYS[1] .. string.format('%d', second - second % ${FAILURE_BUCKET_S})
local function numberOf(group)
  local known = redis.call('HGET', bucket, 'g:' .. group)
  if known then return known end
  if group ~= '' and tonumber(redis.call('HGET', bucket, 'n') or '0') >= tonumber(ARGV[1]) then return numberOf('') end
  -- The rest is no group of its own.
  local number = group == '' and 0 or redis.call('HINCRBY', bucket, 'n', 1)
  redis.call('HSET', bucket, 'g:' .. group, number)
  return number
end
for at = 2, #ARGV, ${GROUP_VALUES} do
  local number = numberOf(ARGV[at])
  for nth, next in ipairs({'retry', 'dead_letter', 'park', '${DEAD}'}) do
    if ARGV[at + nth] ~= '0' then redis.call('HINCRBY', bucket, number .. ':' .. next, ARGV[at + nth]) end
  end
  local first, last, ids = ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local knownFirst, knownLast, knownIds = string.match(redis.call('HGET', bucket, number .. ':t') or '', '^(%d+) (%d+) (.*)$')
  if knownFirst then
    if tonumber(knownFirst) < tonumber(first) then first = knownFirst end
    if tonumber(knownLast) > tonumber(last) then last = knownLast end
    local seen, kept = {}, {}
    for id in string.gmatch(ids .. '\\31' .. knownIds, '[^\\31]+') do
      if not seen[id] and #kept < 3 then kept[#kept + 1] = id end
      seen[id] = true
    end
    ids = table.concat(kept, '\\31')
  end
  redis.call('HSET', bucket, number .. ':t', first .. ' ' .. last .. ' ' .. ids)
end
redis.call('EXPIRE', bucket, ${KEPT_S})
return 1
`;

export const failureScripts = {
  krsFailuresAdd: { numberOfKeys: 1, lua: add },
} as const;
