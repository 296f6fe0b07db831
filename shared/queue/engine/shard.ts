import { Queue } from 'bullmq';
import { RequestError } from '../../domain/errors.js';
import { jobIdOf, ownKeys, queueName, queuePrefix, type OwnKeys } from '../names.js';
import { isCluster, type RedisClient } from '../../redis/redis-connection.js';
import { RedisErrors } from '../../redis/redis-error.js';
import type { ReplicatedWrites } from '../../redis/replicated-writes.js';
import { checkEngine } from './check-engine.js';
import { definedScripts, type DefinedScripts } from './defined-scripts.js';
import { readEngineFacts } from './engine-facts.js';
import { MismatchError } from './mismatch-error.js';
import { ASK_AGAIN_MS, settleShardCount } from './shard-count.js';
import { guardScripts } from './guarded-scripts.js';
import type { LuaScript } from './lua-script.js';
import type { QueueClient } from './queue-client.js';
import { SubmitScript } from './submit-script.js';

/** One BullMQ queue, and the connection that its commands use. */
export interface Shard {
  readonly queue: Queue;
  /** Shards with the same text are on one Redis server. On a cluster each has its own, since it may move to another server. */
  readonly server: string;
  readonly client: QueueClient;
  readonly submitScript: SubmitScript;
  /** What may not be lost waits for replicas; undefined: it does not. */
  readonly replicated?: ReplicatedWrites | undefined;
  readonly keys: OwnKeys & {
    readonly completed: string;
    readonly failed: string;
    readonly delayed: string;
    /** Idle workers block on this set; an entry wakes one of them. */
    readonly marker: string;
    /** Due jobs with a priority in BullMQ's sense: our tasks, priority tasks before normal ones. */
    readonly prioritized: string;
    /** Due jobs that go before all prioritized ones: the tasks of dead workers, and priority tasks that an older version has stored. */
    readonly wait: string;
    /** Due jobs that the pause of an older BullMQ has set aside; 6.7 only empties it. */
    readonly paused: string;
    readonly active: string;
    /** `<prefix>:<queue>:`; a job's own key follows it. */
    readonly base: string;
    job(taskId: string): string;
  };
}

export interface ShardsOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly count: number;
  /** @param bullmq the scripts that BullMQ has defined @returns scripts of ours by the names of their commands */
  readonly scripts: (bullmq: DefinedScripts) => Readonly<Record<string, LuaScript>>;
  readonly onOpen?: ((shards: readonly Shard[]) => void) | undefined;
  readonly replicated?: ReplicatedWrites | undefined;
  /** Redis answers, and does not let the shards be opened: a right is missing. It is tried again. */
  readonly onRefused?: ((error: unknown) => void) | undefined;
  /** A part of Redis without which they cannot be opened does not answer. @param what that part, in words */
  readonly onWait?: ((what: string) => void) | undefined;
  /** The libraries or the store are not those that this process was made for: it has to end. */
  readonly onMismatch?: ((error: MismatchError) => void) | undefined;
}

/**
 * All shards, opened when Redis first answers. BullMQ's Queue asks Redis for its version when it is made, and is
 * broken for good if that fails; so it is made only on a connection that is ready.
 */
export class Shards {
  #open: Promise<readonly Shard[]> | undefined;
  #ready: readonly Shard[] | undefined;
  #mismatch: MismatchError | undefined;
  /** What the last try to open them was refused with. */
  #refusal: unknown;
  readonly #errors = new RedisErrors();
  #isClosed = false;
  #openAgain: NodeJS.Timeout | undefined;
  #storeLater: NodeJS.Timeout | undefined;
  /** A client of a cluster says 'ready' once, not when a node is back: so what has failed is tried again by time. */
  readonly #onReady = (): void => void this.whenOpen().catch(() => {
    if (this.#isClosed || this.#mismatch !== undefined) return;
    this.#openAgain ??= setTimeout(() => {
      this.#openAgain = undefined;
      // Else the next 'ready' tries again.
      if (this.options.redis.status === 'ready') this.#onReady();
    }, ASK_AGAIN_MS).unref();
  });

  constructor(private readonly options: ShardsOptions) {
    const { redis } = options;
    redis.on('ready', this.#onReady);
    if (redis.status === 'ready') this.#onReady();
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet, redis_refused when it has not let us open them; MismatchError */
  get(index: number): Shard {
    if (this.#mismatch !== undefined) throw this.#mismatch;
    const shard = this.#ready?.[index];
    if (shard !== undefined) return shard;
    if (this.#refusal !== undefined) throw new RequestError('redis_refused', 'redis answers, and refuses to do this now', undefined, { cause: this.#refusal });
    throw new RequestError('redis_unavailable', 'redis connection failed');
  }

  all(): readonly Shard[] {
    this.get(0);
    return this.#ready ?? [];
  }

  /**
   * Opens the shards now, waiting for Redis as long as the connection's profile waits.
   * @throws MismatchError: EngineMismatchError or ShardCountError
   */
  whenOpen(): Promise<readonly Shard[]> {
    this.#open ??= this.#openAll();
    return this.#open;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.options.redis.off('ready', this.#onReady);
    clearTimeout(this.#openAgain);
    clearTimeout(this.#storeLater);
    const shards = this.#ready ?? [];
    this.#ready = undefined;
    await Promise.all(shards.map(({ queue }) => queue.close()));
  }

  async #openAll(): Promise<readonly Shard[]> {
    try {
      const { redis, prefix, count } = this.options;
      const { isStored } = await settleShardCount(redis, prefix, count, () => this.#isClosed, { errors: this.#errors, onWait: this.options.onWait });
      const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, index) => openShard(this.options, index)));
      const shards = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failure !== undefined || this.#isClosed) {
        await Promise.all(shards.map(({ queue }) => queue.close()));
        throw failure?.reason ?? new Error('Connection is closed.');
      }
      this.#ready = shards;
      this.#refusal = undefined;
      this.options.onOpen?.(shards);
      if (!isStored) this.#storeCountLater();
      return shards;
    } catch (error) {
      this.#open = undefined;
      this.#endOnMismatch(error);
      this.#refusal = this.#errors.classify(error) === 'refused' ? error : undefined;
      if (this.#refusal !== undefined && !this.#isClosed) this.options.onRefused?.(error);
      throw error;
    }
  }

  /** Until it is stored, another process may have another number: whoever comes second then ends. */
  #storeCountLater(): void {
    if (this.#isClosed || this.#mismatch !== undefined) return;
    const { redis, prefix, count } = this.options;
    this.#storeLater = setTimeout(() => {
      settleShardCount(redis, prefix, count, () => this.#isClosed, { errors: this.#errors })
        .catch((error: unknown) => {
          this.#endOnMismatch(error);
          return { isStored: false };
        })
        .then(({ isStored }) => { if (!isStored) this.#storeCountLater(); }, () => undefined);
    }, ASK_AGAIN_MS).unref();
  }

  #endOnMismatch(error: unknown): void {
    if (!(error instanceof MismatchError)) return;
    this.#mismatch = error;
    this.options.onMismatch?.(error);
  }
}

async function openShard({ redis, prefix, scripts, replicated }: ShardsOptions, index: number): Promise<Shard> {
  const queue = new Queue(queueName(index), { connection: redis, prefix: queuePrefix(prefix, index, isCluster(redis)) });
  // The caller of a command sees connection trouble as its failure. Without a listener the event would end the process.
  queue.on('error', () => undefined);
  try {
    await queue.waitUntilReady();
    const client = await queue.getBackend().client;
    // First of all: nothing of ours may be put into Lua that is not what it was made for.
    checkEngine(await readEngineFacts(queue, client));
    guardScripts(client);
    for (const [name, script] of Object.entries(scripts(definedScripts(client)))) client.defineCommand(name, script);
    const key = (suffix: string): string => queue.toKey(suffix);
    return {
      queue,
      server: isCluster(redis) ? queue.qualifiedName : '',
      client,
      submitScript: new SubmitScript(queue, client, redis, [key('completed'), key('failed'), ownKeys(key).parked], replicated && { writes: replicated, mark: ownKeys(key).replicaMark }),
      replicated,
      keys: {
        ...ownKeys(key),
        completed: key('completed'),
        failed: key('failed'),
        delayed: key('delayed'),
        marker: key('marker'),
        prioritized: key('prioritized'),
        wait: key('wait'),
        paused: key('paused'),
        active: key('active'),
        base: key(''),
        job: (taskId) => key(jobIdOf(taskId)),
      },
    };
  } catch (error) {
    await queue.close();
    throw error;
  }
}
