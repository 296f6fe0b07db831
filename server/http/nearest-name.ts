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
  const takenApart = takeApart(known);
  const typed = mistypedNames(plain, takenApart);
  if (typed.length > 0) return fewOf(typed);
  const begun = namesBegunAlike(plain, takenApart);
  if (begun.length > 0) return fewOf(begun);
  const parts = partsOf(name);
  const longer = takenApart.filter((each) => parts.every((part) => part.length >= 3 && each.parts.some((known) => known.startsWith(part))));
  return fewOf(namesOf(longer.length > 0 ? longer : takenApart.filter((each) => each.parts.every((part) => parts.includes(part)))));
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

interface KnownName {
  readonly name: string;
  /** See lettersOf. */
  readonly letters: string;
  /** See partsOf. */
  readonly parts: readonly string[];
}

/** Most lists of names are those of fields, which never change, and a batch may ask about them 10,000 times. */
const takenApartBefore = new WeakMap<readonly string[], readonly KnownName[]>();

function takeApart(known: readonly string[]): readonly KnownName[] {
  let takenApart = takenApartBefore.get(known);
  // A list that has grown since then is another one.
  if (takenApart?.length !== known.length) {
    takenApart = known.map((name) => ({ name, letters: lettersOf(name), parts: partsOf(name) }));
    takenApartBefore.set(known, takenApart);
  }
  return takenApart;
}

function namesOf(known: readonly KnownName[]): readonly string[] {
  return known.map(({ name }) => name);
}

function mistypedNames(plain: string, known: readonly KnownName[]): readonly string[] {
  // A name from outside may be as long as a whole request line. A typing error does not double a name.
  const candidates = known.filter(({ letters }) => plain.length <= 2 * letters.length);
  const near = candidates
    .map(({ name, letters }) => ({ name, distance: editDistance(plain, letters), most: Math.min(Math.max(1, Math.floor(letters.length / 3)), letters.length - 1) }))
    .filter(({ distance, most }) => distance <= most);
  const least = Math.min(...near.map(({ distance }) => distance));
  return near.filter(({ distance }) => distance === least).map(({ name }) => name);
}

/** Names that begin with all of these letters, or that share two thirds of them with the longer one of the two. */
function namesBegunAlike(plain: string, known: readonly KnownName[]): readonly string[] {
  const begun = known.filter(({ letters }) => {
    const alike = lettersAlike(plain, letters);
    return alike >= FEWEST_LETTERS_ALIKE && (alike === plain.length || 3 * alike >= 2 * Math.max(plain.length, letters.length));
  });
  return namesOf(begun);
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
