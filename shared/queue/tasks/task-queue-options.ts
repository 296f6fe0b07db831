import type { PathMask } from '../../domain/destinations/path-mask.js';
import type { Clock } from '../../domain/ports.js';
import type { SecretBox } from '../../domain/secrets/secret-box.js';
import type { RedisAccess } from '../../redis/redis-access.js';
import type { RedisClient } from '../../redis/redis-connection.js';
import type { RefusalLog } from '../../redis/refusal-log.js';
import type { ReplicatedWrites } from '../../redis/replicated-writes.js';
import type { MismatchError } from '../engine/mismatch-error.js';
import type { ShardHealth } from '../engine/shard-health.js';

/** What a TaskQueue is made of. */
export interface TaskQueueOptions {
  readonly redis: RedisClient;
  /**
   * The libraries or the store are not those that this process was made for. No task is taken or stored, and the process has
   * to end.
   */
  readonly onMismatch?: (error: MismatchError) => void;
  /** It waits for a part of Redis that it needs before it can do anything. @param what that part, in words */
  readonly onWait?: (what: string) => void;
  readonly prefix: string;
  readonly shards: number;
  /** The number of attempts that the board shows for a job includes it. */
  readonly deadAttempts: number;
  /** What job names and search fields show of a path. The default is defaultPathMask. */
  readonly mask?: PathMask;
  /** It encrypts the secret fields of a task that is stored. The default has no key. */
  readonly secrets?: SecretBox;
  /** It goes by Redis' time: see RedisClock. Scripts that change a task ask Redis itself. */
  readonly clock: Clock;
  /** What is accepted from callers waits for replicas (REDIS_MIN_REPLICAS); undefined: it does not. Its owner closes it. */
  readonly replicated?: ReplicatedWrites | undefined;
  /** Whether it watches which shards answer: a call about one that does not is refused at once. A worker waits for it instead. */
  readonly watchesShards?: boolean;
  /** Which shards answer, as another queue of this process sees them. */
  readonly health?: ShardHealth;
  /** It is told what Redis refuses; the caller learns only a code. */
  readonly refusals?: RefusalLog;
  /** It knows what Redis refuses us altogether, and which rights are missing. */
  readonly access?: Pick<RedisAccess, 'refusal' | 'lackFor'>;
}
