const SHOWN = 50;
const OTHER = 'other';

/**
 * The hosts and clusters with the highest values, and the sum of the rest as `other`: so the number of series does not grow with the
 * number of destinations. `other` is always there. Of equal ones the first by name are shown, or scrapes would differ without a reason.
 */
export function topDestinations(values: ReadonlyMap<string, number>): [destination: string, value: number][] {
  const sorted = [...values].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  const rest = sorted.slice(SHOWN).reduce((sum, [, value]) => sum + value, 0);
  return [...sorted.slice(0, SHOWN), [OTHER, rest]];
}
