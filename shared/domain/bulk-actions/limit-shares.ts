/** How many members of each shard have at most this score. */
export type CountUpTo = (score: number) => Promise<readonly number[]>;

/**
 * Divides a limit among shards, so that together they have the first tasks of all: each takes those with the lowest scores.
 * @param found  tasks of each shard
 * @param lowest score of all of them, a whole number; `highest` too
 * @returns how many each shard may take; their sum is the limit, or all that was found if that is less
 */
export async function limitShares(found: readonly number[], limit: number, lowest: number, highest: number, countUpTo: CountUpTo): Promise<readonly number[]> {
  if (sumOf(found) <= limit) return found;
  // The highest score at which no more than the limit come first.
  let below = lowest - 1;
  let above = highest;
  let shares: readonly number[] = found.map(() => 0);
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    const counts = await countUpTo(middle);
    if (sumOf(counts) > limit) above = middle;
    else {
      below = middle;
      shares = counts;
    }
  }
  // Those with the next score share the rest, the first shard first.
  const next = await countUpTo(above);
  let left = limit - sumOf(shares);
  return shares.map((share, index) => {
    const more = Math.min(left, (next[index] ?? 0) - share);
    left -= more;
    return share + more;
  });
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
