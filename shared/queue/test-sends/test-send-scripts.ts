import { nowMs } from '../engine/now-ms.js';

/** So many wait for a worker at most. */
const MOST_WAITING = 100;

/**
 * Asks the workers for a test send. KEYS 1 list. ARGV 1 the request, 2 for how long it is of use, ms.
 * @returns 1; 0: too many wait already
 */
const ask = `${nowMs}
if redis.call('LLEN', KEYS[1]) >= ${MOST_WAITING} then return 0 end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])) .. ' ' .. ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`;

/**
 * Takes the request that has waited longest. Those that nobody waits for any more are dropped. KEYS 1 list.
 * @returns {request, for how long it is of use, ms}; false: there is none
 */
const take = `${nowMs}
while true do
  local text = redis.call('LPOP', KEYS[1])
  if not text then return false end
  local gap = string.find(text, ' ', 1, true) or 0
  local left = (tonumber(string.sub(text, 1, gap - 1)) or 0) - now
  if left > 0 then return {string.sub(text, gap + 1), left} end
end
`;

/** KEYS 1 answer. ARGV 1 text, 2 how long it is kept, ms. */
const answer = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** KEYS 1 answer, which is there for one reader. */
const readAnswer = `local text = redis.call('GET', KEYS[1])
if text then redis.call('DEL', KEYS[1]) end
return text`;

export const testSendScripts = {
  krsTestSendAsk: { numberOfKeys: 1, lua: ask },
  krsTestSendTake: { numberOfKeys: 1, lua: take },
  krsTestSendAnswer: { numberOfKeys: 1, lua: answer },
  krsTestSendReadAnswer: { numberOfKeys: 1, lua: readAnswer },
} as const;
