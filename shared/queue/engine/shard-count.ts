import { MOST_SHARDS } from '../../domain/most-shards.js';
import { withinLimit } from '../../lifecycle/time-limit.js';
import { isCluster, type RedisClient } from '../../redis/redis-connection.js';
import { placesOf } from '../../redis/redis-masters.js';
import { redisErrorCode, RedisErrors } from '../../redis/redis-error.js';
import { MismatchError } from './mismatch-error.js';
import { PatientQuestions, type Answered } from './patient-questions.js';
import { queueMetaKey, shardCountKey, shardCountKeyOf } from '../names.js';
import { judgeShards, judgeStored } from './told-shard-count.js';

/** How long to wait before Redis is asked again for what it has not done, ms. */
export const ASK_AGAIN_MS = 250;
/** The same where it has answered, and a person has to act. */
const LOOK_AGAIN_MS = 1_000;
/** What has not answered by then is away, ms: a start goes on without it where it can. */
const ANSWERED_WITHIN_MS = 1_000;
/** A start that waits says so after this time, ms. The first connection takes some milliseconds. */
const TOLD_AFTER_MS = 2_000;

/** The tasks in Redis are spread over another number of shards: an id would lead to another one than the task is in. */
export class ShardCountError extends MismatchError {
  override readonly name = 'ShardCountError';

  /** @param stored as it stands in Redis; several: in different places */
  constructor(stored: readonly string[], own: number, prefix: string) {
    const [number = ''] = stored;
    super(stored.length === 1 && !number.startsWith('at least')
      ? `the tasks under QUEUE_PREFIX=${prefix} are spread over ${number} shards, and this process is set up for ${own}: it would not find them, and would send some twice. ` +
        `Set SHARDS=${number}, and REDIS_MODE as the processes have it that wrote them. The number of a store cannot be changed; to get another one, move to a new store as docs/SCALING.md says.`
      : `it is not known over how many shards the tasks under QUEUE_PREFIX=${prefix} are spread: Redis says ${stored.join(' and ')}, and this process is set up for ${own}. ` +
        `Store the number that the processes had that wrote them, see docs/OPERATIONS.md#the-number-of-shards.`);
  }
}

export interface SettleOptions {
  /** They know for how long Redis has been read-only: that ends the wait, too. */
  readonly errors?: RedisErrors;
  /** Told once, when it has waited for two seconds. @param what that it waits for, in words, with the masters of a cluster that have not answered */
  readonly onWait?: ((what: string) => void) | undefined;
}

/**
 * Stores how many shards there are, if Redis does not know it yet, and compares it with our number. It waits until a part of Redis
 * answers that knows it: a process with a wrong number must not take any task. The number stands at a place of its own, where the first start
 * decides it, and beside each shard: so a start needs one of them alone, and the loss of one is no loss.
 * @param isClosed ends the wait
 * @returns whether Redis knows it now. One that is full, or takes no writes for another reason, can be read all the same: its tasks are
 * delivered, and the caller tries again later.
 * @throws ShardCountError; what Redis refuses to read with
 */
export async function settleShardCount(redis: RedisClient, prefix: string, count: number, isClosed: () => boolean, { errors = new RedisErrors(), onWait }: SettleOptions = {}): Promise<{ readonly isStored: boolean }> {
  const settling = new Settling(redis, prefix, count, errors);
  const startedAt = performance.now();
  let isTold = false;
  for (;;) {
    const number = `the number of shards (${shardCountKey(prefix)})`;
    let waitsFor = number + placesOf(redis, [shardCountKey(prefix)]);
    let pauseMs = ASK_AGAIN_MS;
    try {
      const outcome = await settling.round();
      if (outcome.kind === 'settled') return outcome;
      if (outcome.kind === 'unknown') {
        waitsFor = `${number}, which is lost together with some shards: if SHARDS=${count} is right, store it, see docs/OPERATIONS.md#the-number-of-shards`;
        pauseMs = LOOK_AGAIN_MS;
      }
      if (outcome.kind === 'wait') waitsFor = number + placesOf(redis, outcome.unanswered);
    } catch (error) {
      if (error instanceof MismatchError || errors.classify(error) !== 'unavailable' || isClosed()) throw error;
      // Any step of the round may have failed.
      waitsFor = number;
    }
    if (isClosed()) throw new Error('Connection is closed.');
    if (!isTold && (pauseMs === LOOK_AGAIN_MS || performance.now() - startedAt > TOLD_AFTER_MS)) {
      isTold = true;
      onWait?.(waitsFor);
    }
    await readyOrLater(redis, pauseMs);
  }
}

type Round = { readonly kind: 'settled'; readonly isStored: boolean } | { readonly kind: 'unknown' } | { readonly kind: 'wait'; readonly unanswered: readonly string[] };

class Settling {
  readonly #numbers: PatientQuestions<string | null>;
  readonly #shards: PatientQuestions<number>;
  readonly #key: string;
  readonly #besideShards: readonly string[];

  constructor(private readonly redis: RedisClient, private readonly prefix: string, private readonly count: number, private readonly errors: RedisErrors) {
    this.#numbers = new PatientQuestions((key) => redis.get(key), ANSWERED_WITHIN_MS);
    this.#shards = new PatientQuestions((key) => redis.exists(key), ANSWERED_WITHIN_MS);
    this.#key = shardCountKey(prefix);
    this.#besideShards = Array.from({ length: count }, (_, shard) => shardCountKeyOf(prefix, shard, isCluster(redis)));
  }

  /** @throws ShardCountError, and what Redis answers with where no number is known */
  async round(): Promise<Round> {
    const keys = [this.#key, ...this.#besideShards];
    const answers = await this.#numbers.ask(keys);
    const told = answers.map(({ value }) => value);
    const verdict = judgeStored(this.count, told);
    switch (verdict.kind) {
      case 'other':
        throw this.#mismatch(verdict.numbers);
      case 'wait':
        this.#throwRefusal(answers);
        return { kind: 'wait', unanswered: unansweredOf(keys, answers) };
      case 'agreed':
        await this.#complete(keys.filter((_, place) => told[place] === null));
        return { kind: 'settled', isStored: true };
      case 'look':
        return this.#storeFirst();
    }
  }

  async #storeFirst(): Promise<Round> {
    const { there, unanswered } = await this.#shardsThere();
    if (unanswered.length > 0) return { kind: 'wait', unanswered };
    // Shards that have been made meanwhile belong to a process that has stored its number before.
    const stored = await this.redis.get(this.#key);
    if (stored !== null) return this.round();
    const verdict = judgeShards(this.count, there);
    if (verdict.kind === 'unknown') return { kind: 'unknown' };
    if (verdict.kind === 'other') throw this.#mismatch([`${verdict.isLeast ? 'at least ' : ''}${verdict.count}`]);
    try {
      await this.#store(this.#key);
    } catch (error) {
      const errorClass = this.errors.classify(error);
      if (errorClass !== 'full' && errorClass !== 'refused') throw error;
      // On a cluster the masters of shards may take it: else, with the shards that they take, it could not be told later.
      await this.#complete(this.#besideShards);
      return { kind: 'settled', isStored: false };
    }
    await this.#complete(this.#besideShards);
    return { kind: 'settled', isStored: true };
  }

  /** @returns `there` by the number of the shard, as far as there may be some; it is known when all keys have been answered */
  async #shardsThere(): Promise<{ readonly there: readonly boolean[]; readonly unanswered: readonly string[] }> {
    // On a cluster the queues of one Redis are no store of ours.
    for (const ofCluster of isCluster(this.redis) ? [true] : [true, false]) {
      const keys = Array.from({ length: MOST_SHARDS }, (_, shard) => queueMetaKey(this.prefix, shard, ofCluster));
      // One Redis tells at once that there is none, which is so for each new store.
      if (!isCluster(this.redis) && (await this.redis.exists(...keys).catch(oneIfOfCluster)) === 0) continue;
      const answers = await this.#shards.ask(keys);
      this.#throwRefusal(answers);
      const unanswered = unansweredOf(keys, answers);
      const there = answers.map(({ value }) => value === 1);
      if (unanswered.length > 0 || there.includes(true)) return { there, unanswered };
    }
    return { there: [], unanswered: [] };
  }

  /** Where it is missing: a store of an older version, or a part of Redis that has lost what it had. One that takes no writes gets it with a later start. */
  async #complete(keys: readonly string[]): Promise<void> {
    const stores = keys.map(async (key) => this.#store(key).catch(throwMismatch));
    await withinLimit(Promise.all(stores), ANSWERED_WITHIN_MS, () => new Error('no answer')).catch(throwMismatch);
  }

  /** Of several that start at once, one wins. @throws ShardCountError */
  async #store(key: string): Promise<void> {
    if ((await this.redis.set(key, this.count, 'NX')) === 'OK') return;
    const stored = await this.redis.get(key);
    if (stored !== null && stored !== String(this.count)) throw this.#mismatch([stored]);
  }

  /** What Redis refuses to read with is told; a part that is away is waited for. */
  #throwRefusal(answers: readonly Answered<unknown>[]): void {
    const refusal = answers.find(({ error }) => error !== undefined && this.errors.classify(error) !== 'unavailable');
    if (refusal !== undefined) throw refusal.error;
  }

  #mismatch(numbers: readonly string[]): ShardCountError {
    return new ShardCountError(numbers, this.count, this.prefix);
  }
}

function unansweredOf(keys: readonly string[], answers: readonly Answered<unknown>[]): readonly string[] {
  return keys.filter((_, place) => answers[place]?.value === undefined);
}

/** A node of a cluster, with a process in the wrong mode. */
function oneIfOfCluster(error: unknown): number {
  if (redisErrorCode(error) === 'CROSSSLOT') return 1;
  throw error;
}

function throwMismatch(error: unknown): void {
  if (error instanceof MismatchError) throw error;
}

/** A process that starts asks before its connection is there, which takes some milliseconds. */
function readyOrLater(redis: RedisClient, laterMs: number): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      clearTimeout(timer);
      redis.off('ready', goOn);
      redis.setMaxListeners(redis.getMaxListeners() - 1);
      resolve();
    };
    const timer = setTimeout(goOn, laterMs);
    // The parts of a process that share a client have about ten together, at which Node warns of a leak.
    redis.setMaxListeners(redis.getMaxListeners() + 1);
    redis.once('ready', goOn);
  });
}
