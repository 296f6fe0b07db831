import type { Shard } from '../engine/shard.js';
import { isListPlace, type SearchPlace } from '../search/search-places.js';
import { listLengths, readSinceMark, type ScanMark, type SinceMark } from './scan-mark.js';
import { listMembers, scanSet, type SearchRules } from './scan-step.js';
import { stepsThrough, type TakeTurn } from './scan-tasks.js';
import { OutOfTimeError } from './scan-turns.js';

export interface LookAgainOptions {
  /** May another step begin? */
  readonly hasTime: () => boolean;
  readonly takeTurn: TakeTurn;
}

/** The shortest ones come first: one task that has moved is enough. Those that have ended are read from the time of the search on. */
const inOrder: readonly SearchPlace[] = ['active', 'wait', 'paused', 'failed', 'completed', 'prioritized', 'delayed'];

/**
 * Whether a search that has ended may have overlooked a task of a shard that matches. A task that moves to a place which was read before it
 * could be found is nowhere on the way of the search. So where anything has moved meanwhile, the places are read once more for
 * tasks that match and have moved. A task that was found before it moved counts as overlooked, too: nobody remembers which were found.
 *
 * @param mark made before the search began
 * @param sinceWaiting as in SearchRules
 * @param since what has happened since, where that was read before
 * @returns true also where the time is over before that is known
 */
export async function mayHaveOverlooked(shard: Shard, rules: Pick<SearchRules, 'plan' | 'order'>, mark: ScanMark, options: LookAgainOptions, sinceWaiting?: number, since?: SinceMark): Promise<boolean> {
  try {
    return await mayHaveMoved(shard, rules, mark, options, sinceWaiting, since);
  } catch (error) {
    if (error instanceof OutOfTimeError) return true;
    throw error;
  }
}

async function mayHaveMoved(shard: Shard, rules: Pick<SearchRules, 'plan' | 'order'>, mark: ScanMark, { hasTime, takeTurn }: LookAgainOptions, sinceWaiting: number | undefined, known: SinceMark | undefined): Promise<boolean> {
  const { isQuiet, lengths } = known ?? (await takeTurn(async () => ({ ...(await readSinceMark(shard, mark)), cpu: undefined })));
  if (isQuiet) return false;
  const areListsSame = listLengths(mark) === listLengths({ lengths });
  for (const place of inOrder.filter((each) => rules.plan.places.includes(each))) {
    // Tasks of a dead worker go back to a list, and nothing writes down when.
    const since = isListPlace(place) && place !== 'active' && !areListsSame ? 0 : mark.at;
    const again: SearchRules = { ...rules, since, readsHeld: mark.readsHeld, sinceWaiting: since === 0 ? undefined : sinceWaiting, by: 'count', look: { kind: 'again', dueCounter: mark.dueCounter } };
    for await (const moved of stepsThroughPlace(shard, place, again, takeTurn)) {
      if (moved > 0 || !hasTime()) return true;
    }
  }
  return false;
}

/** How many tasks each step finds that have moved. */
async function* stepsThroughPlace(shard: Shard, place: SearchPlace, rules: SearchRules, takeTurn: TakeTurn): AsyncGenerator<number, void, void> {
  if (isListPlace(place)) {
    const { jobIds } = await takeTurn(() => listMembers(shard, place, rules.order));
    if (jobIds.length === 0) return;
    for await (const { tally } of stepsThrough(shard, place, rules, jobIds, takeTurn)) yield tally.passedOver;
    return;
  }
  for (let from: Awaited<ReturnType<typeof scanSet>>['next']; ; ) {
    const behind = from;
    const { tally, next } = await takeTurn(() => scanSet(shard, place, rules, behind, 1));
    yield tally.passedOver;
    if (next === undefined) return;
    from = next;
  }
}
