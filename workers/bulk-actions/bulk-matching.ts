import { narrowedFilter } from '../../shared/domain/access/narrowed-filter.js';
import type { BulkAction } from '../../shared/domain/bulk-actions/bulk-action.js';
import { limitShares } from '../../shared/domain/bulk-actions/limit-shares.js';
import { needsRoom } from '../../shared/domain/bulk-actions/room.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { BulkChange } from '../../shared/queue/bulk-actions/bulk-action-store.js';
import type { BulkActions, PartsOfAction } from '../../shared/queue/bulk-actions/bulk-actions.js';
import { MATCHED, type BulkShard, type ShardOfAction } from '../../shared/queue/bulk-actions/bulk-shard.js';
import { shardOf } from '../../shared/queue/names.js';
import type { TakeTurn } from '../../shared/queue/scan/scan-tasks.js';
import { ScanTurns } from '../../shared/queue/scan/scan-turns.js';
import { compileFilter } from '../../shared/queue/search/compile-filter.js';
import { eachLivingShard } from './living-shards.js';
import type { OwnChanges } from './own-changes.js';
import type { StaleSteps } from './stale-steps.js';

/** The pause between two steps, ms, so that other commands get their turn. */
const STEP_PAUSE_MS = 5;
/**
 * For so long at most the steps of a round follow each other, all shards together, ms. After it the worker reads again what is to be done, and how full Redis is: to do so
 * before each step took as many commands as the search itself.
 */
const ROUND_MS = 150;
/** A step of a search waits for its turn, and is made of several calls, ms. */
const STEP_LIMIT_MS = 5_000;
/** The pause of a worker whose shards are all in other hands, ms. */
const BUSY_PAUSE_MS = 200;

export interface BulkMatchingOptions {
  readonly actions: BulkActions;
  readonly defaultBrokers: DefaultBrokers;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
  /** Has Redis used up its memory for new tasks? */
  readonly isRedisAboveMark: () => Promise<boolean>;
}

/** Looks for the tasks of bulk actions, and writes them down. Nothing is touched before that has ended in all shards. */
export class BulkMatching {
  /** Shards in our hands: `<action> <shard>`. */
  readonly #held = new Set<string>();
  /** It leaves Redis to the deliveries as the searches of the API do. */
  readonly #scans = new ScanTurns();

  /** @param token of this worker */
  constructor(
    private readonly token: string,
    private readonly options: BulkMatchingOptions,
    private readonly changes: OwnChanges,
    private readonly stale: StaleSteps,
  ) {}

  /** There is no action to look for. */
  forgetAll(): void {
    this.#held.clear();
  }

  /** A turn of each shard that answers and is not in other hands. @returns the pause until the next one, ms */
  async step(action: BulkAction): Promise<number> {
    const { actions, isRedisAboveMark } = this.options;
    const parts = await actions.partsOf(action.id);
    const matched = parts.flatMap((part) => (part?.cursor === MATCHED ? part : []));
    if (matched.length === actions.shards.length) return this.#begin(action, matched);
    if ((await isRedisAboveMark()) && needsRoom(action.asked.action, await this.#mostFound(action))) {
      await this.changes.make(action, { from: ['matching'], to: 'failed', reason: { code: 'redis_full', message: 'redis has used up its memory for new tasks, and the list of matching ones needs some; no task was touched' }, fields: { doneAt: 'now' } });
      return 0;
    }
    const answers: Awaited<ReturnType<BulkShard['writeDownFound']>>[] = [];
    const pauseMs = await eachLivingShard(actions, parts, BUSY_PAUSE_MS, async (shard, { cursor }, index) => {
      if (cursor === MATCHED) return undefined;
      const answer = await this.#turn(action, shard, index, cursor);
      answers.push(answer);
      return answer === 'busy' ? BUSY_PAUSE_MS : STEP_PAUSE_MS;
    });
    if (answers.includes('stale')) await this.stale.note(action);
    if (!answers.includes('incomplete')) return pauseMs;
    await this.changes.make(action, { from: ['matching'], to: 'failed', reason: { code: 'incomplete', message: 'too many due tasks wait in one list to look at all of them; no task was touched' }, fields: { doneAt: 'now' } });
    return 0;
  }

  /**
   * Does once more for a running action what a failover has taken back behind the end of matching, in shards that are not sealed any more:
   * their tasks are looked for, and taken as before.
   * @returns the pause until the next turn, ms
   */
  async again(action: BulkAction, parts: PartsOfAction): Promise<number> {
    const { actions } = this.options;
    const first = parts.findIndex((part) => part?.isSealed === false);
    const answers: Awaited<ReturnType<BulkShard['writeDownFound']>>[] = [];
    const pauseMs = await eachLivingShard(actions, parts, BUSY_PAUSE_MS, async (shard, part, index) => {
      if (part.isSealed) return undefined;
      if (part.cursor !== MATCHED) {
        const answer = await this.#turn(action, shard, index, part.cursor);
        answers.push(answer);
        return answer === 'busy' ? BUSY_PAUSE_MS : STEP_PAUSE_MS;
      }
      // One after the other, each by what those before it have taken: so two workers seal no more together than the limit.
      const share = index === first ? shareLeft(action, parts, part.found ?? 0) : undefined;
      if (share !== undefined) await actions.seal(shard, action.id, share);
      return share === undefined ? undefined : STEP_PAUSE_MS;
    });
    if (answers.includes('stale')) await this.stale.note(action);
    if (!answers.includes('incomplete')) return pauseMs;
    await this.changes.make(action, { from: ['running'], to: 'failed', reason: { code: 'incomplete', message: 'a failover of redis has taken back which tasks it is about, and too many due tasks wait in one list to look at all of them again: some of its tasks may not have been touched' }, fields: { doneAt: 'now' } });
    return 0;
  }

  /** So many tasks are written down at most. More ids than stand in one chunk are not counted. */
  async #mostFound({ id, asked: { conditions } }: BulkAction): Promise<number> {
    if (conditions !== null) return Infinity;
    const { ids, isLast } = await this.options.actions.store.givenIds(id, 0);
    return isLast ? ids.length : Infinity;
  }

  /** Steps in a row. A change of the action ends them, and so does another worker. */
  async #turn(action: BulkAction, shard: BulkShard, index: number, from: string): ReturnType<BulkShard['writeDownFound']> {
    const endsAt = performance.now() + ROUND_MS / this.options.actions.shards.length;
    for (let cursor = from; ; ) {
      const answer = await this.#matchStep(action, shard, index, cursor, endsAt);
      if (typeof answer === 'string' || answer.cursor === MATCHED || performance.now() >= endsAt) return answer;
      ({ cursor } = answer);
    }
  }

  async #matchStep(action: BulkAction, shard: BulkShard, index: number, cursor: string, endsAt: number): ReturnType<BulkShard['writeDownFound']> {
    const held = `${action.id} ${index}`;
    const { asked } = this.options.actions;
    // A search of which nothing could be written down would only cost Redis its time.
    const claim = this.#held.has(held) ? { cursor } : await asked.one(shard, () => shard.claimMatching(action, this.token, cursor));
    if (typeof claim === 'string' || claim.cursor !== cursor) return claim;
    const answer = await asked.one(shard, () => this.#writeDownStep(action, shard, index, cursor, endsAt), STEP_LIMIT_MS);
    if (answer === 'busy') this.#held.delete(held);
    else this.#held.add(held);
    return answer;
  }

  async #writeDownStep(action: BulkAction, shard: BulkShard, index: number, cursor: string, endsAt: number): ReturnType<BulkShard['writeDownFound']> {
    const { conditions, clientIds } = action.asked;
    const takeTurn: TakeTurn = (step) => this.#scans.take(step);
    // Of the ids that were given, those of other clients are not found, as if there were no such tasks.
    const plan = compileFilter(narrowedFilter(conditions ?? [], clientIds), { defaultBrokers: this.options.defaultBrokers, mask: this.options.mask });
    if (conditions !== null) return shard.writeDownFound(action, this.token, plan, cursor, endsAt, takeTurn);
    const chunk = cursor === '' ? 0 : Number(cursor);
    const { ids, isLast } = await this.options.actions.store.givenIds(action.id, chunk);
    const own = ids.filter((id) => shardOf(id, this.options.actions.shards.length) === index);
    return shard.writeDownIds(action, this.token, plan, own, cursor, isLast ? MATCHED : String(chunk + 1), takeTurn);
  }

  /** Matching is over in all shards: what was found is taken, or refused. A worker that is killed in between begins again. */
  async #begin(action: BulkAction, parts: readonly ShardOfAction[]): Promise<number> {
    const { id, asked } = action;
    const { actions } = this.options;
    const found = parts.map((part) => part.found ?? 0);
    const all = sumOf(found);
    const isRefused = asked.expected !== null && asked.expected !== all;
    const shares = isRefused || asked.limit === null ? found : await this.#sharesOf(id, found, asked.limit);
    await actions.sealAll(id, shares);
    const change: BulkChange = isRefused
      ? { from: ['matching'], to: 'refused', reason: { code: 'count_differs', message: `${asked.expected} tasks were expected, and ${all} match; none was touched` }, fields: { matchedAt: 'now', matched: all, doneAt: 'now' }, count: 0 }
      : { from: ['matching'], to: 'running', fields: { matchedAt: 'now', matched: all }, count: all - sumOf(parts.map(({ unknown }) => unknown)) };
    await this.changes.make(action, change);
    return 0;
  }

  async #sharesOf(id: string, found: readonly number[], limit: number): Promise<readonly number[]> {
    const { shards, asked } = this.options.actions;
    const ask = <T>(question: (shard: BulkShard) => Promise<T>): Promise<readonly T[]> => Promise.all(shards.map((shard) => asked.one(shard, () => question(shard))));
    const scores = (await ask((shard) => shard.scores(id))).flatMap((pair) => pair ?? []);
    if (scores.length === 0) return found;
    return limitShares(found, limit, Math.min(...scores), Math.max(...scores), (score) => ask((shard) => shard.countUpTo(id, score)));
  }
}

/** @returns how many of those found in a shard are taken; undefined: a shard that is away knows how many are left of the limit */
function shareLeft({ asked: { limit } }: BulkAction, parts: PartsOfAction, found: number): number | undefined {
  if (limit === null) return found;
  const known = parts.flatMap((part) => part ?? []);
  if (known.length < parts.length) return undefined;
  return Math.max(0, Math.min(found, limit - sumOf(known.map(({ counts }) => counts.matched - counts.overLimit))));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
