import type { LuaScript } from '../engine/lua-script.js';

/**
 * The names of tasks in a list of BullMQ's, which may also hold its markers.
 *
 * KEYS 1 list. ARGV 1 how many at most: those that are next, which stand at its end.
 * @returns {length of the list, names}
 */
export const listMembersScript: LuaScript = {
  numberOfKeys: 1,
  lua: `
local found = {}
for _, member in ipairs(redis.call('LRANGE', KEYS[1], -tonumber(ARGV[1]), -1)) do
  if string.sub(member, 1, 2) == 't-' then found[#found + 1] = member end
end
return {redis.call('LLEN', KEYS[1]), found}
`,
};
