import type { Bound, Condition, Range } from '../../domain/search/condition.js';
import type { Filter } from '../../domain/search/filter.js';
import { SCORE_PER_MS } from '../engine/due-score.js';
import type { SearchPlace } from './search-places.js';

/** The scores in a set between which all tasks that match stand, as Redis takes them: `{ min: '1796000000000', max: '(1796000000001' }`. */
export interface ScoreRange {
  readonly min?: string;
  readonly max?: string;
}

/** The tasks that have ended stand in the order of their ends, and those that wait for a time in the order of these times. */
const timeOf: Partial<Readonly<Record<SearchPlace, Condition['field']>>> = { failed: 'finished_at', completed: 'finished_at', delayed: 'next_attempt_at' };

/**
 * A filter on the time that a set is ordered by narrows what has to be looked at.
 * @param filter with its times fixed
 * @returns undefined: anywhere
 */
export function scoresFor(filter: Filter, place: SearchPlace): ScoreRange | undefined {
  const field = timeOf[place];
  if (field === undefined) return undefined;
  let min = -Infinity;
  let max = Infinity;
  for (const condition of filter) {
    const span = spanOf(condition);
    if (span === undefined) continue;
    if (condition.field === field) min = Math.max(min, span.min);
    // A task that has ended was not changed before its end.
    if (condition.field === field || (condition.field === 'updated_at' && field === 'finished_at')) max = Math.min(max, span.max);
  }
  if (min === -Infinity && max === Infinity) return undefined;
  return { ...(min === -Infinity ? {} : { min: String(lowestScore(place, min)) }), ...(max === Infinity ? {} : { max: highestScore(place, max) }) };
}

/** Does the range of scores alone say that a condition is true? */
export function isHeldByScore(condition: Condition, place: SearchPlace): boolean {
  return timeOf[place] === condition.field && condition.values.length === 1 && spanOf(condition) !== undefined;
}

/** The least and the greatest value that matches. undefined: it cannot be said. */
function spanOf({ isNegated, values }: Condition): { readonly min: number; readonly max: number } | undefined {
  const ranges = values.filter((value): value is Range => value.kind === 'range');
  if (isNegated || ranges.length < values.length) return undefined;
  return { min: Math.min(...ranges.map(({ min }) => closedAt(min, 1))), max: Math.max(...ranges.map(({ max }) => closedAt(max, -1))) };
}

/** All times that are compared are whole. */
function closedAt(bound: Bound | undefined, step: 1 | -1): number {
  if (bound === undefined) return step * -Infinity;
  return bound.isOpen ? bound.at + step : bound.at;
}

function lowestScore(place: SearchPlace, min: number): number {
  return place === 'delayed' ? min * SCORE_PER_MS : min;
}

/** The score of a task that is due has the time in ms and a part below it. */
function highestScore(place: SearchPlace, max: number): string {
  return place === 'delayed' ? `(${(max + 1) * SCORE_PER_MS}` : String(max);
}
