/** A fixed number of sends in flight for each worker, or a share of what the fleet may have. */
export type SlotSetting = number | 'auto';

/**
 * Slots of the whole fleet. When a job ends, Redis searches the list of running ones: 19 us at 50 of them, 134 us at
 * 2,000. All Redis does for a task is about 80 us.
 */
export const FLEET_SLOTS = 2_000;
/** With fewer, a few slow destinations would leave hardly any slot free for the others. */
const FEWEST = 100;
/** With more, one process has more to do than one core can, and a worker that dies takes more sends with it. */
const MOST = 1_000;

/**
 * How many sends one worker may have in flight. `auto`: 1,000 for one or two workers, 666 for each of three, 200 for each of
 * ten, 100 for each of twenty or more.
 *
 * @param workers of the fleet, this one included, >= 1
 */
export function slotShare(setting: SlotSetting, workers: number): number {
  if (setting !== 'auto') return setting;
  return Math.min(MOST, Math.max(FEWEST, Math.floor(FLEET_SLOTS / workers)));
}
