import type { Condition } from '../../domain/search/condition.js';
import type { Filter } from '../../domain/search/filter.js';
import { WAITING } from '../../domain/search/filter-fields.js';
import { taskStates, type TaskState } from '../../domain/task/task.js';

/** The sets and lists that hold tasks, by the names that BullMQ has for them. */
export type SearchPlace = 'failed' | 'wait' | 'paused' | 'prioritized' | 'delayed' | 'active' | 'completed';

/** The states of the tasks in each place, in the order in which a search reads the places. */
const statesIn: Readonly<Record<SearchPlace, readonly TaskState[]>> = {
  failed: ['dead_lettered', 'parked'],
  // Those that are due stand before those that are not: a task that becomes due moves into a place that was read.
  wait: ['scheduled', 'retrying', 'dead_lettering'],
  paused: ['scheduled', 'retrying', 'dead_lettering'],
  prioritized: ['scheduled', 'retrying', 'dead_lettering'],
  delayed: ['scheduled', 'retrying', 'dead_lettering'],
  // A worker holds them, so they come from the places before, and write down when.
  active: ['delivering', 'dead_lettering'],
  completed: ['delivered', 'cancelled'],
};

/** BullMQ keeps these as lists: they have no order to begin in the middle of. */
const lists: ReadonlySet<SearchPlace> = new Set(['wait', 'paused', 'active'] as const);

export function isListPlace(place: ReadPlace): place is SearchPlace {
  return place !== HELD && lists.has(place);
}

export function isSearchPlace(text: unknown): text is SearchPlace {
  return typeof text === 'string' && Object.hasOwn(statesIn, text);
}

const waitingPlaces: readonly SearchPlace[] = ['wait', 'paused', 'prioritized', 'delayed'];
const endedPlaces: readonly SearchPlace[] = ['failed', 'completed'];
/**
 * Where tasks that flow control holds are read: its waiting lists. There each stands at the same place as long as it is held, however often it is put
 * back into the delayed set, and comes due, meanwhile (decision 26).
 */
export const HELD = 'held';
export type ReadPlace = SearchPlace | typeof HELD;

/** The places of a search that reads the held tasks by themselves: before all others in which tasks wait. */
export function withHeld(places: readonly SearchPlace[]): readonly ReadPlace[] {
  const at = places.findIndex(isWaitingPlace);
  return at < 0 ? places : [...places.slice(0, at), HELD, ...places.slice(at)];
}

const allPlaces = Object.keys(statesIn).filter(isSearchPlace);

/** Tasks leave such a place only by an action of a person. */
export function isEndedPlace(place: SearchPlace): boolean {
  return endedPlaces.includes(place);
}

export function isWaitingPlace(place: string): boolean {
  return place === HELD || waitingPlaces.some((each) => each === place);
}

/** `waiting` stands for several states. */
export function statesNamed(text: string): readonly string[] {
  return text === WAITING ? ['scheduled', 'retrying', 'dead_lettering'] : [text];
}

/** The places that can hold a task that matches. It is empty for a filter that nothing can match. */
export function placesFor(filter: Filter): readonly SearchPlace[] {
  const states = statesAllowed(filter);
  return allPlaces.filter((place) => statesIn[place].some((state) => states.has(state)) && hasNeededTimes(place, filter));
}

/** Is a condition on the state true of every task in a place? */
export function holdsInPlace({ field, isNegated, values }: Condition, place: SearchPlace): boolean {
  if (field !== 'state') return false;
  if (values.some(({ kind }) => kind === 'exists')) return !isNegated;
  const named = new Set(values.flatMap((value) => (value.kind === 'text' ? statesNamed(value.text) : [])));
  return statesIn[place].every((state) => named.has(state) !== isNegated);
}
function statesAllowed(filter: Filter): ReadonlySet<TaskState> {
  let allowed: readonly TaskState[] = taskStates;
  for (const { field, isNegated, values } of filter) {
    if (field !== 'state' || values.some(({ kind }) => kind === 'exists')) continue;
    const named = new Set(values.flatMap((value) => (value.kind === 'text' ? statesNamed(value.text) : [])));
    allowed = allowed.filter((state) => named.has(state) !== isNegated);
  }
  return new Set(allowed);
}

/** Only tasks that have ended have a finishing time, and only those that wait have one of their next attempt. */
function hasNeededTimes(place: SearchPlace, filter: Filter): boolean {
  return filter.every(({ field, isNegated, values }) => {
    const holders = field === 'finished_at' ? endedPlaces : field === 'next_attempt_at' ? waitingPlaces : undefined;
    if (holders === undefined) return true;
    if (!isNegated) return holders.includes(place);
    return field === 'next_attempt_at' || !values.some(({ kind }) => kind === 'exists') || !holders.includes(place);
  });
}
