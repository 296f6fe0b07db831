/** The end of the first send of a task that an action has started. */
export interface FirstSend {
  /** ms since the epoch */
  readonly at: number;
  readonly isDelivered: boolean;
}

/** So many first sends at least have to have ended. */
const LEAST_FIRST_SENDS = 10;
/** The newest so many count. */
export const FIRST_SENDS_WINDOW = 50;

/**
 * Does an action pause itself, because what it starts fails? With at least ten first sends, more than half of the newest 50 have
 * failed. With fewer than 50, more than half of those that there are.
 * @param resumedAt sends that ended before do not count: a person has resumed it since, ms since the epoch
 */
export function isFailing(sends: readonly FirstSend[], resumedAt: number): boolean {
  const newest = sends
    .filter(({ at }) => at > resumedAt)
    .sort((a, b) => b.at - a.at)
    .slice(0, FIRST_SENDS_WINDOW);
  const failed = newest.filter(({ isDelivered }) => !isDelivered).length;
  return newest.length >= LEAST_FIRST_SENDS && failed * 2 > newest.length;
}
