import { classifyRedisError, redisErrorCode } from './redis-error.js';
import type { RedisClient } from './redis-connection.js';

/** Commands that every task needs, one or more of each kind of value, inside scripts. What stands behind a name are arguments after the key. */
const inScripts = [
  'DEL', 'EXISTS', 'SET x', 'GET', 'INCR',
  'HSET x x', 'HGET x', 'HMGET x', 'HDEL x', 'HGETALL',
  'ZADD 0 x', 'ZREM x', 'ZRANGE 0 0', 'ZSCORE x', 'ZCARD', 'ZCOUNT 0 0',
  'LPUSH x', 'LREM 0 x', 'LLEN', 'LRANGE 0 0',
  'XADD * x x',
] as const;

/** Calls each with the key, and answers with those that the user may not call. Other errors, such as a wrong type, mean that it may. */
const SCRIPT = `
local refused = {}
for _, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  local name = table.remove(words, 1)
  local reply = redis.pcall(name, KEYS[1], unpack(words))
  local text = type(reply) == 'table' and reply.err or ''
  if string.find(text, 'ACL failure', 1, true) or string.find(text, 'The user executing the script', 1, true) or string.find(text, 'NOPERM', 1, true) then
    refused[#refused + 1] = name
  end
end
redis.pcall('DEL', KEYS[1])
return refused`;

/**
 * Asks for the rights without which nothing works, by using them on a key that does not stay. What is missing beyond these shows when
 * it is used: see redis-error.ts.
 *
 * @param key one of the service, of a name that nothing else has
 * @returns the commands that are missing; `the keys of QUEUE_PREFIX` for a key pattern; none where Redis cannot be asked now
 */
export async function missingRights(redis: RedisClient, key: string): Promise<readonly string[]> {
  try {
    const missing = await Promise.all([
      isRefused('INFO', () => redis.info('server')),
      isRefused('TIME', () => redis.time()),
      // A script that is not there.
      isRefused('EVALSHA', () => redis.evalsha('0'.repeat(40), 1, key)),
      isRefused('BZPOPMIN', () => redis.bzpopmin(key, 0.001)),
    ]);
    const refused: unknown = await redis.eval(SCRIPT, 1, key, ...inScripts);
    return [...missing.flat(), ...(Array.isArray(refused) ? refused.map(String) : [])];
  } catch (error) {
    return classifyRedisError(error) === 'refused' && redisErrorCode(error) === 'NOPERM' ? [isOfKey(error) ? 'the keys of QUEUE_PREFIX' : 'EVAL'] : [];
  }
}

async function isRefused(name: string, ask: () => Promise<unknown>): Promise<string[]> {
  try {
    await ask();
    return [];
  } catch (error) {
    // What else is wrong shows when the script is called. A key that is refused is told by it, too.
    return redisErrorCode(error) === 'NOPERM' && !isOfKey(error) ? [name] : [];
  }
}

/** Redis has one code for a command and a key that are not allowed. */
function isOfKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes('key');
}
