import { withinLimit } from '../../lifecycle/time-limit.js';
import type { Shard } from '../engine/shard.js';

/** A shard that has not answered by then does not count, ms. It leaves a process time to go on with the keys that it knows. */
const SHARD_LIMIT_MS = 300;

/**
 * Which version each shard has heard of: of the access keys (`accessVersion`), or of the sessions that have ended (`sessionVersion`). On a cluster the
 * master that has these may be away alone. More than half of the shards are told of a change before its caller has an answer. So a process that finds no
 * later version in more than half of them knows the keys, or a session, as they are: any two groups of more than half have a shard in common.
 */
export class VersionMarks {
  constructor(
    private readonly shards: readonly Shard[],
    private readonly of: 'accessVersion' | 'sessionVersion',
  ) {}

  /** Tells each shard. One that has heard of a later version keeps that. @returns whether more than half of them know of it; it never rejects */
  async tell(version: string): Promise<boolean> {
    return this.#mostAgree(async ({ client, keys }) => {
      await client.runCommand('krsVersionMark', [keys[this.of], version]);
      return true;
    });
  }

  /** @returns whether more than half of the shards answer that they have heard of no later version; it never rejects */
  async isNewest(version: string): Promise<boolean> {
    return this.#mostAgree(async ({ client, keys }) => Number((await client.get(keys[this.of])) ?? 0) <= Number(version));
  }

  /** It does not wait for those whose answer changes nothing any more. */
  #mostAgree(ask: (shard: Shard) => Promise<boolean>): Promise<boolean> {
    const { length } = this.shards;
    return new Promise((resolve) => {
      let agreeing = 0;
      let others = 0;
      const count = (agrees: boolean): void => {
        if (agrees) agreeing += 1;
        else others += 1;
        if (agreeing * 2 > length) resolve(true);
        else if (others * 2 >= length) resolve(false);
      };
      for (const shard of this.shards) void withinLimit(ask(shard), SHARD_LIMIT_MS, () => new Error('the shard has not answered in time')).then(count, () => { count(false); });
    });
  }
}
