import type { LuaScript } from '../engine/lua-script.js';
import { nowMs } from '../engine/now-ms.js';

/**
 * A page of the failed set, the oldest first. Thousands may have one and the same score, because a score is a millisecond. So a
 * page begins behind a member, and not only at a score.
 *
 * KEYS 1 failed. ARGV 1 score to begin with, 2 member of that score to begin behind, or '', 3 highest score, or '' for Redis'
 * time, 4 how many. A member that has gone since begins the page at its score.
 * @returns {highest score, then ids and scores in turn}
 */
export const failedPageScript: LuaScript = {
  numberOfKeys: 1,
  lua: `${nowMs}
local first
if ARGV[2] ~= '' and redis.call('ZSCORE', KEYS[1], ARGV[2]) == ARGV[1] then
  first = redis.call('ZRANK', KEYS[1], ARGV[2]) + 1
else
  first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
end
local page = redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[4]) - 1, 'WITHSCORES')
local highest = tonumber(ARGV[3]) or now
local found = {highest}
for at = 1, #page, 2 do
  if tonumber(page[at + 1]) > highest then break end
  found[at + 1], found[at + 2] = page[at], page[at + 1]
end
return found
`,
};
