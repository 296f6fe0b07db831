import type { Shard } from '../engine/shard.js';
import type { Position } from './found-task.js';
import type { StepCpu } from './scan-pace.js';
import { listMembers, scanIds, scanSet, STEP_MEMBERS, type IdStep, type ScanStep, type SearchLook, type SearchRules } from './scan-step.js';
import { readScanMark, type ScanMark } from './scan-mark.js';
import { isListPlace, isWaitingPlace, withHeld, type ReadPlace, type SearchPlace } from '../search/search-places.js';

/** Where a scan of one shard goes on. It is plain JSON. */
export interface ScanPlace {
  readonly place: ReadPlace;
  /** undefined: at its beginning. */
  readonly position?: Position;
  /** Redis' time when the scan of the shard began, ms. */
  readonly since: number;
  /** When it came to the tasks that wait, ms by Redis' clock, where it had looked at others before. */
  readonly waitingSince?: number;
  /** Of a count: see watched-scan.ts. */
  readonly mark?: ScanMark;
}

export interface ScanPart extends Omit<ScanStep, 'next'> {
  /** undefined: the scan has ended. */
  readonly next: ScanPlace | undefined;
  /** false: a list was longer than what is read of it. */
  readonly isWhole: boolean;
  /** As of ScanPlace. */
  readonly waitingSince: number | undefined;
}

export interface ScanRules extends Omit<SearchRules, 'since' | 'sinceWaiting' | 'readsHeld' | 'look'> {
  /** What has moved since the scan began is not passed over. So it comes once at least where it was found, and may come again. */
  readonly mayRepeat?: boolean;
}

/** Runs one step. A process that does more than one search at a time lets them take turns. */
export type TakeTurn = <T extends { readonly cpu: StepCpu | undefined }>(step: () => Promise<T>) => Promise<T>;

const atOnce: TakeTurn = (step) => step();

/**
 * Steps through all places of a shard in which a task can match, and yields what it finds. A step holds Redis for a few
 * milliseconds. A task that stays where it is comes exactly once, and one that moves meanwhile at most once.
 *
 * Places without scores are read as a whole. A scan that goes on in one of them behind a position reads it again.
 *
 * @param from where an earlier scan of the shard ended
 * @param mark made before it began. Without one, what moves among the tasks that wait while others are read is passed over
 */
export async function* scanTasks(shard: Shard, rules: ScanRules, from?: ScanPlace, takeTurn: TakeTurn = atOnce, mark?: ScanMark): AsyncGenerator<ScanPart, void, void> {
  const readsHeld = mark?.readsHeld === true;
  const places = readsHeld ? withHeld(rules.plan.places) : rules.plan.places;
  let since = from?.since ?? mark?.at;
  let { waitingSince } = from ?? {};
  for (const place of from === undefined ? places : places.slice(Math.max(0, places.indexOf(from.place)))) {
    const nextPlace = places[places.indexOf(place) + 1];
    if (mark !== undefined && place !== places[0] && isWaitingPlace(place)) waitingSince ??= (await takeTurn(async () => ({ ...(await readScanMark(shard)), cpu: undefined }))).at;
    const waiting = waitingSince === undefined ? {} : { waitingSince };
    const rulesHere: SearchRules = { ...rules, since: rules.mayRepeat === true ? undefined : since, sinceWaiting: waitingSince, readsHeld, look: lookAt(place, places) };
    for await (const { next, ...part } of stepsIn(shard, place, rulesHere, place === from?.place ? from.position : undefined, takeTurn)) {
      since ??= part.tally.at;
      const here = next === undefined ? undefined : { place, position: next, since, ...waiting };
      yield { ...part, waitingSince, next: here ?? (nextPlace === undefined ? undefined : { place: nextPlace, since, ...waiting }) };
    }
  }
}

export function lookAt(place: ReadPlace, places: readonly ReadPlace[]): SearchLook {
  return { kind: place === places[0] ? 'first' : 'later' };
}

/** The steps through named ids, one at least. @param place as of scanIds */
export async function* stepsThrough(shard: Shard, place: SearchPlace | undefined, rules: SearchRules, jobIds: readonly string[], takeTurn: TakeTurn = atOnce): AsyncGenerator<IdStep, void, void> {
  for (let rest = jobIds; ; ) {
    const ids = rest;
    const step = await takeTurn(() => scanIds(shard, place, rules, ids));
    yield step;
    if (step.rest.length === 0) return;
    rest = step.rest;
  }
}

/** The steps through one place, one at least. `next` undefined: it was the last. */
async function* stepsIn(shard: Shard, place: ReadPlace, rules: SearchRules, from: Position | undefined, takeTurn: TakeTurn): AsyncGenerator<ScanStep & { readonly isWhole: boolean }, void, void> {
  if (isListPlace(place)) {
    const { jobIds, isWhole } = await takeTurn(() => listMembers(shard, place, rules.order));
    const rest = from === undefined ? jobIds : jobIds.filter((id) => (rules.order === 'oldest' ? id > from.member : id < from.member));
    for await (const { last, rest: left, ...step } of stepsThrough(shard, place, rules, rest, takeTurn)) {
      yield { ...step, isWhole, next: left.length > 0 && last !== undefined ? { score: '0', member: last } : undefined };
    }
    return;
  }
  for (let position = from; ; ) {
    const behind = position;
    const step = await takeTurn(() => scanSet(shard, place, rules, behind, STEP_MEMBERS));
    yield { ...step, isWhole: true };
    if (step.next === undefined) return;
    position = step.next;
  }
}
