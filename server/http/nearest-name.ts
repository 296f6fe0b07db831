import { editDistance } from '../../shared/domain/edit-distance.js';

/** Fewer letters at the start of a name are those of a word in it, such as `dead`. */
const FEWEST_LETTERS_ALIKE = 5;
/** More names than these would not help to choose. */
const MOST_NAMES = 3;

/**
 * The known name that was most likely meant: `inlcude` -> `include`, `isPriority` -> `is_priority`. It is undefined when none
 * is near, and when several are equally near.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const [nearest, ...others] = nearestNames(name, known);
  return others.length === 0 ? nearest : undefined;
}

/**
 * The known names that were most likely meant, at most three. The rules, in this order:
 * - the same letters: `MaxRetries` -> `max_retries`
 * - at most a third of the letters changed: `inlcude` -> `include`, `priority` -> `is_priority`
 * - a name that is not finished, or that ends in another way: `isprio`, `is_prioritised` -> `is_priority`
 * - a part of a name: `retries` -> `max_retries`, `delay` -> `base_delay`, `initial_delay`, `max_delay`
 * - a name with something added: `task_id` -> `id`
 */
export function nearestNames(name: string, known: readonly string[]): readonly string[] {
  const plain = lettersOf(name);
  if (plain === '') return [];
  const typed = mistypedNames(plain, known);
  if (typed.length > 0) return fewOf(typed);
  const begun = namesBegunAlike(plain, known);
  if (begun.length > 0) return fewOf(begun);
  const parts = partsOf(name);
  const longer = known.filter((each) => parts.every((part) => part.length >= 3 && partsOf(each).some((known) => known.startsWith(part))));
  return fewOf(longer.length > 0 ? longer : known.filter((each) => partsOf(each).every((part) => parts.includes(part))));
}

/** `: did you mean base_delay or max_delay?`, or nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  return suggestionOf(nearestNames(name, known));
}

/** @param names such as `base_delay`, `max_delay` */
export function suggestionOf(names: readonly string[]): string {
  const last = names.at(-1);
  if (last === undefined) return '';
  return `: did you mean ${names.length === 1 ? last : `${names.slice(0, -1).join(', ')} or ${last}`}?`;
}

function mistypedNames(plain: string, known: readonly string[]): readonly string[] {
  // A name from outside may be as long as a whole request line. A typing error does not double a name.
  const candidates = known.map((each) => ({ each, letters: lettersOf(each) })).filter(({ letters }) => plain.length <= 2 * letters.length);
  const near = candidates
    .map(({ each, letters }) => ({ each, distance: editDistance(plain, letters), most: Math.min(Math.max(1, Math.floor(letters.length / 3)), letters.length - 1) }))
    .filter(({ distance, most }) => distance <= most);
  const least = Math.min(...near.map(({ distance }) => distance));
  return near.filter(({ distance }) => distance === least).map(({ each }) => each);
}

/** Names that begin with all of these letters, or that share two thirds of them with the longer one of the two. */
function namesBegunAlike(plain: string, known: readonly string[]): readonly string[] {
  return known.filter((each) => {
    const letters = lettersOf(each);
    const alike = lettersAlike(plain, letters);
    return alike >= FEWEST_LETTERS_ALIKE && (alike === plain.length || 3 * alike >= 2 * Math.max(plain.length, letters.length));
  });
}

/** As many letters the two have in common from their first on. */
function lettersAlike(one: string, other: string): number {
  let alike = 0;
  while (alike < one.length && one[alike] === other[alike]) alike += 1;
  return alike;
}

function fewOf(names: readonly string[]): readonly string[] {
  return names.length <= MOST_NAMES ? names : [];
}

/** `isPriority`, `is-priority` and `is_priority` have the same letters. */
export function lettersOf(name: string): string {
  return name.slice(0, MAX_CHARACTERS).toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** `deadDestination_type` -> `dead`, `destination`, `type` */
function partsOf(name: string): readonly string[] {
  return name
    .slice(0, MAX_CHARACTERS)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== '');
}

/** No known name is as long. */
const MAX_CHARACTERS = 200;
