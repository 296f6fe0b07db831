import { classifyRedisError, redisErrorCode } from './redis-error.js';
import type { RedisClient } from './redis-connection.js';

/** Commands of the scripts, ours and those of BullMQ's that are used. What stands behind a name are arguments after the key. */
const inScripts = [
  'DEL', 'EXISTS', 'EXPIRE 1', 'GET', 'INCR', 'PERSIST', 'PEXPIRE 1000', 'PTTL', 'SET x', 'TYPE', 'UNLINK',
  'HDEL x', 'HEXISTS x', 'HGET x', 'HGETALL', 'HINCRBY x 1', 'HKEYS', 'HLEN', 'HMGET x', 'HMSET x x', 'HSET x x', 'HSETNX x x', 'HSTRLEN x', 'HVALS',
  'LINDEX 0', 'LLEN', 'LPOP', 'LPOS x', 'LPUSH x', 'LRANGE 0 0', 'LREM 0 x', 'LTRIM 0 0', 'RPOP', 'RPOPLPUSH $', 'RPUSH x',
  'SADD x', 'SCARD', 'SMEMBERS', 'SREM x',
  'ZADD 0 x', 'ZCARD', 'ZCOUNT 0 0', 'ZPOPMIN', 'ZRANDMEMBER', 'ZRANGE 0 0', 'ZRANGEBYSCORE 0 0', 'ZRANK x', 'ZREM x', 'ZREMRANGEBYRANK 0 0',
  'ZREMRANGEBYSCORE 0 0', 'ZREVRANGE 0 0', 'ZREVRANGEBYSCORE 0 0', 'ZSCAN 0', 'ZSCORE x',
  'XADD * x x', 'XTRIM MAXLEN 1',
] as const;

/** What connections send besides. Without CLIENT and CONFIG everything works, and less is known: see OPERATIONS.md. CLIENT|SETINFO is not among them: 7.0 refuses a rule with it. */
const ofConnections = ['BZPOPMIN', 'CLIENT|LIST', 'CLIENT|SETNAME', 'CONFIG|GET', 'EVAL', 'EVALSHA', 'EXEC', 'INFO', 'MULTI', 'PING', 'SCAN', 'SCRIPT|EXISTS', 'SCRIPT|LOAD', 'SELECT', 'TIME', 'WAIT'] as const;
const ofClusters = ['CLUSTER|INFO', 'CLUSTER|SLOTS', 'READONLY', 'READWRITE'] as const;

/**
 * The rule of a user that may do what the service needs, and nothing else, as `ACL SETUSER` wants it.
 * @param prefix QUEUE_PREFIX
 */
export function aclRule(prefix: string): readonly string[] {
  const commands = [...inScripts.map((line) => line.split(' ', 1)[0] ?? ''), ...ofConnections, ...ofClusters];
  return ['resetkeys', `~${prefix}:*`, `~{${prefix}-*`, 'resetchannels', '-@all', ...commands.map((command) => `+${command.toLowerCase()}`)];
}

/** Calls each with the key, and answers with those that the user may not call. Other errors, such as a wrong type, mean that it may. */
const SCRIPT = `
local refused = {}
for _, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word == '$' and KEYS[1] or word end
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
 * Asks for the rights without which not everything works, by using them on a key that does not stay. ACL DRYRUN would tell more easily, but
 * is a right of its own, and there since 7.0 alone.
 *
 * @param key           one of the service, of a name that nothing else has
 * @param waitsForReplicas REDIS_MIN_REPLICAS is above 0
 * @returns the commands that are missing; `the keys of QUEUE_PREFIX` for a key pattern; none where Redis cannot be asked now
 */
export async function missingRights(redis: RedisClient, key: string, waitsForReplicas: boolean): Promise<readonly string[]> {
  try {
    const missing = await Promise.all([
      isRefused('INFO', () => redis.info('server')),
      isRefused('TIME', () => redis.time()),
      isRefused('PING', () => redis.ping()),
      // A script that is not there.
      isRefused('EVALSHA', () => redis.evalsha('0'.repeat(40), 1, key)),
      isRefused('SCRIPT|EXISTS', () => redis.script('EXISTS', '0'.repeat(40))),
      isRefused('SCRIPT|LOAD', () => redis.script('LOAD', 'return 1')),
      // Before 7.0.8 Redis waits for ever when it is told to wait for 1 ms.
      isRefused('BZPOPMIN', () => redis.bzpopmin(key, 0.01)),
      isRefused('MULTI or EXEC', () => redis.multi().exists(key).exec()),
      // For no replica it answers at once.
      ...(waitsForReplicas ? [isRefused('WAIT', () => redis.wait(0, 1))] : []),
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
