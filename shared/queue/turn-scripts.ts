import { nowMs } from './engine/now-ms.js';

const SPAN_MS = 60_000;

/**
 * Takes one of the turns that there are in a minute. KEYS 1 sorted set of the last ones by time. ARGV 1 a name that no other turn has,
 * 2 how many there are.
 * @returns 0: it is taken; else in how many ms the next one may be
 */
const takeTurn = `${nowMs}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${SPAN_MS})
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, math.ceil(tonumber(oldest[2]) + ${SPAN_MS} - now))
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${SPAN_MS})
return 0
`;

export const turnScripts = { krsTakeTurn: { numberOfKeys: 1, lua: takeTurn } } as const;
