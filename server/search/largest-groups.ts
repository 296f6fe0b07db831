export interface CountOfValue {
  readonly value: string | null;
  readonly count: number;
}

/** So many groups with a value stand in an answer. */
export const MOST_SHOWN_GROUPS = 1_000;

/**
 * The groups of a count, the largest first. Where there are more than 1,000, the rest is added to the group of null, which also counts the tasks
 * without a value: so the groups always add up.
 */
export function largestGroups(groups: ReadonlyMap<string | null, number>): CountOfValue[] {
  const named = [...groups].flatMap(([value, count]) => (value === null ? [] : [{ value, count }])).sort(byCount);
  const rest = named.slice(MOST_SHOWN_GROUPS).reduce((sum, { count }) => sum + count, groups.get(null) ?? 0);
  const shown: CountOfValue[] = named.slice(0, MOST_SHOWN_GROUPS);
  return rest === 0 ? shown : [...shown, { value: null, count: rest }].sort(byCount);
}

function byCount(a: CountOfValue, b: CountOfValue): number {
  return b.count - a.count;
}
