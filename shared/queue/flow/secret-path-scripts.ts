/** Lua of the hosts whose paths the fleet hides. */

import { nowMs } from '../engine/now-ms.js';

/** A host stays hidden for so long after the last process that lists it has ended, ms: longer than a fleet takes to restart one by one. */
export const HIDDEN_FOR_MS = 3_600_000;
/** Hosts that are remembered, the latest ones. A process hides its own in any case. */
const MOST_HOSTS = 10_000;
/** Redis takes a command with some thousands of values, and not with any number of them. */
const ADDED_AT_ONCE = 1_000;

/**
 * It begins with a removal, which a full Redis takes, and then also the rest. Where Redis takes no writes for another reason, what is known
 * is read all the same: a worker starts with it.
 *
 * KEYS 1 hosts. ARGV hosts of the caller. @returns all hosts that were named lately
 */
const shareHosts = `${nowMs}
redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${HIDDEN_FOR_MS})
for first = 1, #ARGV, ${ADDED_AT_ONCE} do
  local pairs = {}
  for index = first, math.min(first + ${ADDED_AT_ONCE - 1}, #ARGV) do
    pairs[#pairs + 1] = now
    pairs[#pairs + 1] = ARGV[index]
  end
  redis.pcall('ZADD', KEYS[1], unpack(pairs))
end
redis.pcall('ZREMRANGEBYRANK', KEYS[1], 0, -${MOST_HOSTS + 1})
redis.pcall('PEXPIRE', KEYS[1], ${HIDDEN_FOR_MS})
return redis.call('ZRANGE', KEYS[1], 0, -1)
`;

export const secretPathScripts = {
  krsSecretPathHosts: { numberOfKeys: 1, lua: shareHosts },
} as const;
