type Group = { readonly value: string | null; readonly count: number };

export function added(some: readonly Group[], others: readonly Group[]): Group[] {
  const sums = new Map<string | null, number>();
  for (const { value, count } of [...some, ...others]) sums.set(value, (sums.get(value) ?? 0) + count);
  return mostFirst(sums);
}

export function mostFirst<T>(counts: ReadonlyMap<T, number>): { value: T; count: number }[] {
  return [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count);
}

interface Missing {
  readonly is_complete?: boolean;
  readonly shards_away?: readonly string[];
}

/** What two parts of a count leave out together. Nothing when all shards answered: services of older versions do not tell. */
export function missingIn(sum: Missing, part: Missing): { is_complete?: boolean; shards_away?: string[] } {
  const away = new Set([...(sum.shards_away ?? []), ...(part.shards_away ?? [])]);
  return away.size === 0 ? {} : { is_complete: false, shards_away: [...away] };
}
