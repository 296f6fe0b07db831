/** What stands at one place of Redis. null: nothing; undefined: it has not answered. */
export type Told = string | null | undefined;

/** What follows from the numbers that are stored. `look`: none is, and every place has answered. `wait`: none is known yet. */
export type StoredVerdict = { readonly kind: 'agreed' | 'look' | 'wait' } | { readonly kind: 'other'; readonly numbers: readonly string[] };

/** The number of shards stands beside each shard, too, so one answer is enough. Two different ones are a mismatch whatever our own is. */
export function judgeStored(own: number, told: readonly Told[]): StoredVerdict {
  const numbers = [...new Set(told.filter((each) => typeof each === 'string'))];
  if (numbers.length === 0) return { kind: told.includes(undefined) ? 'wait' : 'look' };
  return numbers.length === 1 && numbers[0] === String(own) ? { kind: 'agreed' } : { kind: 'other', numbers };
}

/**
 * What follows from the shards that are there. `fits`: our number may be stored. `unknown`: some may have been lost.
 * `other`: `count` shards are there; `isLeast`: there may have been more, since some are missing, or fewer are there than we are set up for.
 */
export type ShardsVerdict = { readonly kind: 'fits' | 'unknown' } | { readonly kind: 'other'; readonly count: number; readonly isLeast: boolean };

/**
 * Judges a store that does not say its number: it is new, or a version has made it that stored none, or it has lost that.
 * @param there by the number of the shard, as far as there may be some
 */
export function judgeShards(own: number, there: readonly boolean[]): ShardsVerdict {
  const count = there.lastIndexOf(true) + 1;
  if (count === 0 || count === own) return { kind: 'fits' };
  const hasHoles = there.slice(0, count).includes(false);
  return count < own && hasHoles ? { kind: 'unknown' } : { kind: 'other', count, isLeast: hasHoles || count < own };
}
