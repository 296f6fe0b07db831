import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { ConnectionPool } from './connection-pool.js';
import { redisErrorCode } from './redis-error.js';
import { commandsThatEnd, isCluster, reconnectAfterMs, type RedisClient } from './redis-connection.js';
import { masterOf, serverName } from './redis-masters.js';
import { replicasInStep } from './replica-count.js';
import { REQUEST_LIMIT_MS, withinRequestLimit } from './request-limit.js';
import { SeenReplicas } from './seen-replicas.js';

/** How many groups of one process wait for the replicas of one master at once. On loopback 1 and 8 were as fast. */
export const CONNECTIONS_PER_MASTER = 4;
/** WAIT ends so long before the time of its caller, ms: its answer has to come back. */
const ANSWER_MS = 100;
/** Longer than any group waits. It ends before an answer counts as missing: see the limit of one command in redis-connection.ts. */
const LONGEST_WAIT_MS = 700;
/** A write that is refused with MOVED was not done, and goes to the server that is named. */
const MAX_ROUNDS = 3;
const MARK_LASTS_MS = 86_400_000;
/** How long the answer to `hasReplicas` waits for its own write, ms: /readyz and /status are answered within a second. The write goes on, for the next answer. */
const LOOK_MS = 300;
/** A firewall forgets connections on which nothing passes; the first to write would find out. */
const KEEP_ALIVE_MS = 60_000;
/**
 * Writes something, whether a mark is there or not. It is no SET, because a full Redis refuses that, and takes what cancels a task.
 */
const MARK = "if redis.call('PEXPIRE', KEYS[1], ARGV[1]) == 0 then redis.call('SET', KEYS[1], '', 'PX', ARGV[1]) end";

/** It may be stored, and fewer replicas have it than REDIS_MIN_REPLICAS says: a failover could lose it. */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

/** One of our scripts. */
export interface ReplicatedScript {
  readonly lua: string;
  readonly sha: string;
}

export function replicatedScript(lua: string): ReplicatedScript {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/**
 * Writes that count only when enough replicas have them (REDIS_MIN_REPLICAS).
 *
 * WAIT answers for what its own connection has written, and blocks that connection. So there are connections for this alone, to each
 * master. A group and its WAIT go down one of them in one go. Each group also writes a mark: newer servers than 7.0 wait only for what
 * a connection has written, and a submission that is repeated writes nothing else.
 */
export class ReplicatedWrites {
  readonly #pools = new Map<string, ConnectionPool>();
  readonly #seen = new SeenReplicas();
  /** Writes that only ask for the replicas, by master. */
  readonly #looks = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(
    private readonly redis: RedisClient,
    readonly minReplicas: number,
  ) {
    if (isCluster(redis)) redis.on('-node', (node: Redis) => this.#forget(serverName(node)));
  }

  /**
   * Runs a script and waits for the replicas.
   * @param args    number of keys, keys and arguments
   * @param mark    a key in the slot of the others
   * @param limitMs for all of it
   * @returns the reply of the script
   * @throws NotReplicatedError; what Redis refuses it with
   */
  async run(script: ReplicatedScript, args: readonly (string | number | Buffer)[], mark: string, limitMs: number): Promise<unknown> {
    const until = performance.now() + limitMs;
    for (let round = 1; ; round += 1) {
      try {
        return await this.#pool(mark).use(until, (connection) => this.#runOn(connection, script, args, mark, until));
      } catch (error) {
        const code = redisErrorCode(error);
        if (round === MAX_ROUNDS || (code !== 'MOVED' && code !== 'NOSCRIPT') || performance.now() >= until) throw error;
        if (code === 'MOVED') await this.#learnSlots();
      }
    }
  }

  /**
   * Does what changes something through the connection of all other commands, and resolves when the replicas have it. What is written
   * to a server later is on a replica later: so a mark that is written behind the change, and is there, proves the change. That holds
   * for one server, so it must have been the same all the time.
   * @param mark    a key in the slot of what is changed
   * @param limitMs for the wait
   * @throws NotReplicatedError; what `work` throws
   */
  async after<T>(mark: string, work: () => Promise<T>, limitMs: number): Promise<T> {
    const before = this.#streamFor(mark);
    const result = await work();
    const until = performance.now() + limitMs;
    await this.#pool(mark).use(until, async (connection) => {
      const reached = await this.#writeMark(connection, mark, until);
      this.#check(reached, connection);
      const isOneServer = before !== undefined && this.#streamFor(mark) === before && (await withinRequestLimit(leadToOneServer(this.#nodeFor(mark), connection), until - performance.now()));
      if (!isOneServer || this.#streamFor(mark) !== before || before.destroyed) {
        throw new NotReplicatedError('the master was replaced meanwhile, or the connection to it');
      }
    });
    return result;
  }

  /**
   * Whether what is written now is on enough replicas in time: what INFO says of them, and what writes have shown. Where this process has written nothing
   * just now, a mark is written to find out, once a second at most for each master.
   * @param mark a key in the slot that is asked about
   */
  async hasReplicas(mark: string): Promise<boolean> {
    const node = this.#nodeFor(mark);
    // Where INFO is not allowed, writes tell.
    const inStep = await node.info('replication').then(replicasInStep, () => undefined);
    if (inStep !== undefined && inStep < this.minReplicas) return false;
    const master = this.#nameOf(node);
    // A master that does not answer shows nothing of its replicas.
    if (!this.#seen.isFresh(master)) await withinRequestLimit(this.#look(master, mark), LOOK_MS).catch(() => undefined);
    return this.#seen.hasEnough(master);
  }

  close(): void {
    this.#isClosed = true;
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  /** Shards of one master share a look. It never fails. */
  #look(master: string, mark: string): Promise<void> {
    const until = performance.now() + REQUEST_LIMIT_MS;
    const look = this.#looks.get(master) ?? this.#lookAt(mark, until).catch(() => undefined).finally(() => this.#looks.delete(master));
    this.#looks.set(master, look);
    return look;
  }

  async #lookAt(mark: string, until: number): Promise<void> {
    await this.#pool(mark).use(until, async (connection) => this.#check(await this.#writeMark(connection, mark, until), connection));
  }

  /** @returns what WAIT answers */
  async #writeMark(connection: Redis, mark: string, until: number): Promise<unknown> {
    const [, reached] = await inOneGo([connection.eval(MARK, 1, mark, MARK_LASTS_MS), this.#wait(connection, until)]);
    return reached;
  }

  async #runOn(connection: Redis, { lua, sha }: ReplicatedScript, args: readonly (string | number | Buffer)[], mark: string, until: number): Promise<unknown> {
    // Whoever asked has been answered: nothing more is written behind its back.
    const now = performance.now();
    if (now >= until) throw new NotReplicatedError('there was no time left to write');
    // They are plain commands, because ioredis may send a pipeline later, and then its WAIT would come first.
    const stream = connection.stream;
    stream.cork();
    const answers = [
      connection.call('MULTI'),
      connection.call('EVALSHA', sha, ...args),
      connection.call('EVAL', MARK, 1, mark, MARK_LASTS_MS),
      connection.call('EXEC'),
      this.#wait(connection, until),
    ];
    stream.uncork();
    const [, , , replies, reached] = (await inOneGo(answers)) as [unknown, unknown, unknown, readonly unknown[], unknown];
    const failed = replies.find((reply) => reply instanceof Error);
    // ioredis, which connects again after a READONLY, does not see it inside an EXEC.
    if (redisErrorCode(failed) === 'READONLY') connection.disconnect(true);
    if (redisErrorCode(failed) === 'NOSCRIPT') await connection.script('LOAD', lua);
    if (failed !== undefined) throw failed;
    this.#check(reached, connection);
    return replies[0];
  }

  /** Its error is an answer, because what was written before tells more. */
  #wait(connection: Redis, until: number): Promise<unknown> {
    return connection.wait(this.minReplicas, waitMs(until)).catch((error: unknown) => error);
  }

  #check(reached: unknown, connection: Redis): void {
    // "WAIT cannot be used with replica instances": the master was made one behind the write.
    if (redisErrorCode(reached) === 'ERR') {
      connection.disconnect(true);
      throw new NotReplicatedError('the master has become a replica', { cause: reached });
    }
    if (reached instanceof Error) throw reached;
    const count = Number(reached);
    const isEnough = count >= this.minReplicas;
    this.#seen.saw(this.#nameOf(connection), isEnough);
    if (!isEnough) throw new NotReplicatedError(`${count} of ${this.minReplicas} replicas (REDIS_MIN_REPLICAS) have what was written`);
  }

  #pool(key: string): ConnectionPool {
    // Groups that fail at the end are followed by those that wait behind them.
    if (this.#isClosed) throw new Error('Connection is closed.');
    const node = this.#nodeFor(key);
    const name = this.#nameOf(node);
    let pool = this.#pools.get(name);
    if (pool === undefined) {
      pool = new ConnectionPool(CONNECTIONS_PER_MASTER, () => openLike(node, isCluster(this.redis)), () => node.status === 'ready');
      this.#pools.set(name, pool);
    }
    return pool;
  }

  /** One Redis is one master, whatever its address is after a failover. */
  #nameOf(node: Redis): string {
    return isCluster(this.redis) ? serverName(node) : '';
  }

  /** The connection that other commands about a key use. @throws while no master has its slot */
  #nodeFor(key: string): Redis {
    const node = masterOf(this.redis, key);
    if (node === undefined) throw new Error('None of startup nodes is available');
    return node;
  }

  /** undefined before the first connection, too, although its type promises a stream. */
  #streamFor(key: string): Socket | undefined {
    try {
      return this.#nodeFor(key).stream;
    } catch {
      return undefined; // the work fails, too
    }
  }

  async #learnSlots(): Promise<void> {
    const { redis } = this;
    if (isCluster(redis)) await new Promise<void>((resolve) => redis.refreshSlotsCache(() => resolve()));
  }

  #forget(server: string): void {
    this.#pools.get(server)?.close();
    this.#pools.delete(server);
    this.#seen.forget(server);
  }
}

/** One like another that connects by itself; one of a cluster leaves that to the cluster. That of a worker would wait for an answer for ever. */
function openLike(redis: Redis, isOfCluster: boolean): Redis {
  return redis.duplicate({ ...commandsThatEnd, keepAlive: KEEP_ALIVE_MS, ...(isOfCluster ? { retryStrategy: reconnectAfterMs, lazyConnect: false, readOnly: false } : {}) });
}

/** All answers, or the first error; no other one is left alone. */
async function inOneGo(answers: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(answers);
  return settled.map((answer) => {
    if (answer.status === 'rejected') throw answer.reason;
    return answer.value;
  });
}

function waitMs(until: number): number {
  return Math.round(Math.min(LONGEST_WAIT_MS, Math.max(1, until - performance.now() - ANSWER_MS)));
}

/** A host name may have several addresses that lead to one server: then the server tells. */
async function leadToOneServer(one: Redis, other: Redis): Promise<boolean> {
  const [{ remoteAddress: host, remotePort: port }, { remoteAddress, remotePort }] = [one.stream, other.stream];
  if (host !== undefined && host === remoteAddress && port === remotePort) return true;
  const [runId, otherRunId] = await Promise.all([one, other].map(async (each) => /^run_id:(\w+)/m.exec(await each.info('server'))?.[1]));
  return runId !== undefined && runId === otherRunId;
}
