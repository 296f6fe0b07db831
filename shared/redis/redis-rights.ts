import type { Redis } from 'ioredis';
import { withinLimit } from '../lifecycle/time-limit.js';
import { partsOf, redisErrorCode } from './redis-error.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { masterOf, serverName } from './redis-masters.js';

/** What a start tries its rights on. */
export interface RightsProbe {
  /** Keys that never stay, one in each slot that the service writes to. */
  readonly written: readonly string[];
  /** Keys that have to be allowed, by the pattern that the rule of the user has for them: `~bull:*`. */
  readonly allowed: ReadonlyMap<string, readonly string[]>;
  /** A pattern of them that nobody asks for once this key is there. */
  readonly unneeded?: { readonly pattern: string; readonly onceThereIs: string };
}

/** How long a start waits to be told its rights, ms. A node of a cluster may be away, and must not hold up the others. */
const WITHIN_MS = { alone: 3_000, ofCluster: 1_000 } as const;

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
/** Without ASKING, what is new in a slot is refused while the slot moves to another node. */
const ofClusters = ['ASKING', 'CLUSTER|INFO', 'CLUSTER|SLOTS', 'READONLY', 'READWRITE'] as const;

/** Those without which no task is taken, and those that /readyz asks with. */
const toTakeTasks: ReadonlySet<string> = new Set(['DEL', 'EVAL', 'EVALSHA', 'EXEC', 'EXISTS', 'GET', 'HLEN', 'HMSET', 'INCR', 'MULTI', 'TIME', 'WAIT', 'ZADD', 'ZCARD']);

/**
 * Of keys it says nothing: those of one shard may be refused while another takes tasks, and a write there tells.
 * @param missing of one server, as askRights tells it
 */
export function takesNoTasks(missing: readonly string[]): boolean {
  return missing.some((right) => toTakeTasks.has(right));
}

/** Begins what is told of a pattern of keys. */
const OF_KEYS = 'the keys ';

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
redis.pcall('UNLINK', KEYS[1])
redis.pcall('DEL', KEYS[1])
return refused`;

/** What a node has told: the rights that are missing, by server: `10.0.0.1:6379`, '' where there is one. One that has not answered in time tells nothing. */
export type ToldRights = ReadonlyMap<string, readonly string[]>;

/**
 * Asks for the rights without which not everything works, by using them on keys that do not stay. ACL DRYRUN would tell more easily, but
 * is a right of its own, and there since 7.0 alone. Each node of a cluster has users of its own, so each master is asked.
 *
 * @param waitsForReplicas REDIS_MIN_REPLICAS is above 0
 * @returns the commands that are missing, and patterns of keys as `the keys ~bull:*`, of each server that has answered
 */
export async function askRights(redis: RedisClient, { written, allowed, unneeded }: RightsProbe, waitsForReplicas: boolean): Promise<ToldRights> {
  const told = new Map<string, Set<string>>();
  const silent = new Set<string>();
  const note = (server: string, rights: readonly string[] | undefined): void => {
    if (rights === undefined) silent.add(server);
    const known = told.get(server) ?? new Set();
    told.set(server, known);
    for (const right of rights ?? []) known.add(right);
  };
  const withinMs = isCluster(redis) ? WITHIN_MS.ofCluster : WITHIN_MS.alone;
  const nameOf = (node: Redis): string => (isCluster(redis) ? serverName(node) : '');
  const keyOf = new Map<Redis, string>();
  for (const key of written) {
    const node = masterOf(redis, key);
    if (node !== undefined && !keyOf.has(node)) keyOf.set(node, key);
  }
  await Promise.all([
    ...[...keyOf].map(async ([node, key]) => note(nameOf(node), await inTime(withinMs, missingCommands(node, key, { waitsForReplicas, isOfCluster: isCluster(redis) })))),
    ...[...allowed].flatMap(([pattern, keys]) => keys.map(async (key) => {
      const node = masterOf(redis, key);
      if (node === undefined || !(await inTime(withinMs, isKeyRefused(node, key)))) return;
      const isNeeded = pattern !== unneeded?.pattern || (await inTime(withinMs, node.exists(unneeded.onceThereIs))) !== 1;
      if (isNeeded) note(nameOf(node), [`${OF_KEYS}${pattern}`]);
    })),
  ]);
  // What one that fell silent has told before counts where it is a lack.
  return new Map([...told].flatMap(([server, rights]) => (rights.size === 0 && silent.has(server) ? [] : [[server, [...rights]] as const])));
}

/** @returns of the servers that lack something. One that does not answer in time lacks nothing */
export async function missingRights(redis: RedisClient, probe: RightsProbe, waitsForReplicas: boolean): Promise<ToldRights> {
  return new Map([...(await askRights(redis, probe, waitsForReplicas))].filter(([, rights]) => rights.length > 0));
}

/** @throws when the node does not answer */
async function missingCommands(redis: Redis, key: string, { waitsForReplicas, isOfCluster }: { readonly waitsForReplicas: boolean; readonly isOfCluster: boolean }): Promise<readonly string[]> {
  const asked = await Promise.all([
    isRefused('INFO', () => redis.info('server')),
    isRefused('TIME', () => redis.time()),
    isRefused('PING', () => redis.ping()),
    isRefused('EXISTS', () => redis.exists(key)),
    isRefused('SCAN', () => redis.scan('0', 'MATCH', key, 'COUNT', 1)),
    // A script that is not there.
    isRefused('EVALSHA', () => redis.evalsha('0'.repeat(40), 1, key)),
    isRefused('SCRIPT|EXISTS', () => redis.script('EXISTS', '0'.repeat(40))),
    isRefused('SCRIPT|LOAD', () => redis.script('LOAD', 'return 1')),
    missingOfMulti(redis, key),
    // For no replica it answers at once.
    ...(waitsForReplicas ? [isRefused('WAIT', () => redis.wait(0, 1))] : []),
    ...(isOfCluster ? [
      isRefused('CLUSTER|INFO', () => redis.cluster('INFO')),
      isRefused('CLUSTER|SLOTS', () => redis.cluster('SLOTS')),
      // They change nothing at a master. The second ends what the first has begun.
      isRefused('READONLY', () => redis.readonly()),
      isRefused('READWRITE', () => redis.readwrite()),
      // It is about the next command alone, whose slot this node has.
      isRefused('ASKING', () => redis.asking()),
    ] : []),
  ]);
  const inScript: unknown = await redis.eval(SCRIPT, 1, key, ...inScripts).catch((error: unknown) => {
    if (redisErrorCode(error) === undefined) throw error;
    return isMissing(error) ? ['EVAL'] : [];
  });
  return [...asked.flat(), ...(Array.isArray(inScript) ? inScript.map(String) : [])];
}

/**
 * BZPOPMIN does not wait inside a MULTI, which others on the connection would notice. Where MULTI is refused EXEC is without one, and where EXEC
 * is refused the transaction is discarded: Redis names each behind that.
 */
async function missingOfMulti(redis: Redis, key: string): Promise<string[]> {
  try {
    // Without a MULTI it waits. Before 7.0.8 Redis waits for ever when it is told to wait for 1 ms.
    await redis.multi().bzpopmin(key, 0.01).exec();
    return [];
  } catch (error) {
    if (redisErrorCode(error) === undefined) throw error;
    return error instanceof Error ? partsOf(error).filter(isMissing).map(commandOf) : [];
  }
}

/** ioredis says what was answered so. What EXEC was answered stands in the text that it was answered. */
function commandOf(error: Error): string {
  const { name = 'exec' } = 'command' in error ? (error.command as { readonly name?: string }) : {};
  return name.toUpperCase();
}

/** @throws when it is not answered */
async function isRefused(name: string, ask: () => Promise<unknown>): Promise<string[]> {
  try {
    await ask();
    return [];
  } catch (error) {
    if (redisErrorCode(error) === undefined) throw error;
    // What else is wrong shows when the script is called.
    return isMissing(error) ? [name] : [];
  }
}

/** A command is. A key that is refused is told by the keys that are asked for. */
function isMissing(error: unknown): boolean {
  return redisErrorCode(error) === 'NOPERM' && !isOfKey(error);
}

async function isKeyRefused(redis: Redis, key: string): Promise<boolean> {
  try {
    await redis.exists(key);
    return false;
  } catch (error) {
    return redisErrorCode(error) === 'NOPERM' && isOfKey(error);
  }
}

/** A server that is silent is passed over: what it refuses is told by the calls that it refuses. */
async function inTime<T>(withinMs: number, asking: Promise<T>): Promise<T | undefined> {
  return withinLimit(asking, withinMs, () => new Error('no answer')).catch(() => undefined);
}

/** Redis has one code for a command and a key that are not allowed. */
function isOfKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes('key');
}
