import { isCluster } from '../../redis/redis-connection.js';
import { NotReplicatedError } from '../../redis/replicated-writes.js';
import { withinRequestLimit } from '../../redis/request-limit.js';
import type { ShardHealth } from '../engine/shard-health.js';
import type { Shard } from '../engine/shard.js';
import type { OwnKeys } from '../names.js';
import { FLEET, fleetNeverThere, fleetReplicaMark } from '../fleet-keys.js';
import type { ErrorsForCallers } from './errors-for-callers.js';
import type { QueueCalls } from './queue-calls.js';
import type { TaskQueueOptions } from './task-queue-options.js';

/** As long as askShards waits for the shards, which are asked meanwhile, ms. */
const FLEET_LIMIT_MS = 700;

/** `unreplicated`: its master has fewer replicas in step than REDIS_MIN_REPLICAS. */
export type FleetCheck = 'ok' | 'failed' | 'refused' | 'unreplicated';

/** Where writes are taken now. Shards are named by their queues. */
export interface PingedWrites {
  /** They do not answer. */
  readonly shardsAway: readonly string[];
  /** They answer, and take no writes. */
  readonly shardsRefusing: readonly string[];
  /** They take writes, and their master has fewer replicas in step than REDIS_MIN_REPLICAS: what is written there is not accepted. */
  readonly shardsUnreplicated: readonly string[];
  readonly isAnyAccepting: boolean;
  /** What stands once for the whole fleet, such as keys and limits. */
  readonly fleet: FleetCheck;
  /** Whether the store that the service moves away from can be read: nothing new is accepted without it. Left out where there is none. */
  readonly previous?: 'ok' | 'failed' | 'refused';
}

type PingOptions = Pick<TaskQueueOptions, 'redis' | 'prefix' | 'access' | 'replicated' | 'refusals'>;
type PingedKeys = Pick<OwnKeys, 'neverThere' | 'replicaMark'>;

export interface PingParts {
  readonly calls: QueueCalls;
  readonly errors: ErrorsForCallers;
  readonly health: ShardHealth;
}

/**
 * It fails when no shard takes writes. A full Redis takes this write: GET and DELETE work there. The write
 * stands in a script, like every write of ours: a user who may run no script can do nothing here.
 */
export async function pingWrites(options: PingOptions, parts: PingParts): Promise<PingedWrites> {
  const { redis, access, replicated, refusals: log } = options;
  const { calls, errors } = parts;
  const refusals: unknown[] = [];
  /** @returns whether there are replicas enough for a write to count */
  const write = async ({ neverThere, replicaMark }: PingedKeys): Promise<boolean> => {
    try {
      await redis.eval("return redis.call('DEL', KEYS[1])", 1, neverThere);
    } catch (error) {
      if (errors.classify(error) === 'refused') refusals.push(error);
      throw error;
    }
    // A user who may do this may lack what a submission needs.
    const lack = access?.lackFor(neverThere);
    if (lack !== undefined) {
      refusals.push(lack);
      throw lack;
    }
    // What INFO does not tell is told by the calls that are refused.
    return (await replicated?.hasReplicas(replicaMark).catch(() => undefined)) ?? true;
  };
  /** One that refuses has answered. */
  const askShard = async ({ keys, queue: { name } }: Shard): Promise<readonly [{ readonly name: string; readonly check: 'ok' | 'unreplicated' | 'refused' }]> => {
    try {
      return [{ name, check: (await write(keys)) ? 'ok' : 'unreplicated' }];
    } catch (error) {
      if (errors.classify(error) !== 'refused') throw error;
      return [{ name, check: 'refused' }];
    }
  };
  const [{ answers, shardsAway }, fleet] = await Promise.all([calls.askShards(askShard), pingFleet(write, options, parts)]);
  const namesOf = (wanted: typeof answers[number]['check']): readonly string[] => answers.flatMap(({ name, check }) => (check === wanted ? [name] : []));
  const [shardsRefusing, shardsUnreplicated] = [namesOf('refused'), namesOf('unreplicated')];
  if (shardsRefusing.length === answers.length) throw errors.asRequestError(refusals[0]);
  if (shardsUnreplicated.length > 0 || fleet === 'unreplicated') refusals.push(new NotReplicatedError('fewer replicas are in step than REDIS_MIN_REPLICAS says'));
  if (refusals.length === 0) log?.accepted();
  for (const error of refusals) log?.refused(error);
  return { shardsAway, shardsRefusing, shardsUnreplicated, isAnyAccepting: answers.some(({ check }) => check === 'ok'), fleet };
}

/** On a cluster a master may hold it and no shard. Elsewhere it is where the shards are. */
async function pingFleet(write: (keys: PingedKeys) => Promise<boolean>, { redis, prefix }: PingOptions, { errors, health }: PingParts): Promise<FleetCheck> {
  if (!isCluster(redis)) return 'ok';
  if (health.late.includes(FLEET)) return 'failed';
  try {
    const isReplicated = await withinRequestLimit(write({ neverThere: fleetNeverThere(prefix, true), replicaMark: fleetReplicaMark(prefix, true) }), FLEET_LIMIT_MS);
    return isReplicated ? 'ok' : 'unreplicated';
  } catch (error) {
    const errorClass = errors.classify(error);
    if (errorClass === 'bug') throw error;
    return errorClass === 'unavailable' ? 'failed' : 'refused';
  }
}
