import { canonicalName, defaultClusterNames, type NameRules } from '../../domain/flow/flow-key.js';
import type { Bound, Condition, FilterValue } from '../../domain/search/condition.js';
import type { Filter } from '../../domain/search/filter.js';
import { jobIdOf } from '../names.js';
import { HINT_CHARACTERS } from './hint-characters.js';
import { SEARCH_FIELDS_SEPARATOR } from './search-fields.js';
import { isHeldByScore, scoresFor } from './place-scores.js';
import { holdsInPlace, isEndedPlace, placesFor, statesNamed, type SearchPlace } from './search-places.js';

/** Texts that are looked for in the search fields of one task, in all. 50 urls are not too many: each is stored in one of two forms. */
const MOST_NEEDLES = 100;

/** A filter as the scripts and Node go by it. */
export interface SearchPlan {
  /** Where tasks that match can be. */
  readonly places: readonly SearchPlace[];
  /** The ids of the only tasks that can match. undefined: any task can. */
  readonly ids: readonly string[] | undefined;
  /** For match-job-lua.ts, as JSON. */
  readonly forScript: string;
  /** What is looked at in Node, because it concerns messages. */
  readonly onMessage: readonly Condition[];
  readonly names: NameRules;
}

interface ScriptCondition {
  readonly field: string;
  readonly isNegated: boolean;
  readonly exists?: boolean;
  readonly texts?: Readonly<Record<string, true>>;
  readonly prefixes?: readonly string[];
  readonly ranges?: readonly { readonly min?: number; readonly max?: number }[];
  /** Origins that a destination_key names a path of, all of whose paths are hidden: a task from before has the open path in its fields. */
  readonly hidden?: Readonly<Record<string, true>>;
  /** The places where it is true of every task, and those where the range of scores makes it true. */
  readonly holdsIn: Readonly<Record<string, true>>;
  readonly isHeldByScore: Readonly<Record<string, true>>;
}

/** @param filter with its times fixed */
export function compileFilter(filter: Filter, rules: NameRules): SearchPlan {
  const onMessage = filter.filter(({ field }) => field === 'data');
  const onFields = filter.filter(({ field }) => field !== 'data');
  const places = placesFor(filter);
  const [defaultCluster, ...others] = defaultClusterNames(rules.defaultBrokers);
  const forScript = JSON.stringify({
    conditions: onFields.map((condition) => scriptCondition(condition, places, rules)),
    scores: Object.fromEntries(places.flatMap((place) => [[place, scoresFor(filter, place)] as const]).filter(([, scores]) => scores !== undefined)),
    needles: fewNeedles(onFields.map((condition) => needlesOf(condition, rules))),
    clusterNames: Object.fromEntries(others.map((name) => [name, defaultCluster])),
    isOfEnded: places.every(isEndedPlace),
    looksIntoMessage: onMessage.length > 0,
    messageHints: onMessage.map(hintsOf),
  });
  return { places, ids: idsOf(filter), forScript, onMessage, names: rules };
}

function scriptCondition(condition: Condition, places: readonly SearchPlace[], rules: NameRules): ScriptCondition {
  const { field, isNegated, values } = condition;
  const texts = values.flatMap((value) => (value.kind === 'text' ? comparedTexts(field, value.text, rules) : []));
  const prefixes = values.flatMap((value) => (value.kind === 'prefix' ? [field === 'id' ? jobIdOf(value.text) : value.text] : []));
  const ranges = values.flatMap((value) => (value.kind === 'range' ? [{ ...closed('min', value.min), ...closed('max', value.max) }] : []));
  const hidden = field === 'destination_key' ? values.flatMap((value) => (value.kind === 'text' || value.kind === 'prefix' ? hiddenOrigins(value.text, rules) : [])) : [];
  return {
    field,
    isNegated,
    ...(hidden.length === 0 ? {} : { hidden: setOf(hidden) }),
    ...(values.some(({ kind }) => kind === 'exists') ? { exists: true } : {}),
    ...(texts.length === 0 ? {} : { texts: Object.fromEntries(texts.map((text) => [text, true])) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(ranges.length === 0 ? {} : { ranges }),
    holdsIn: setOf(places.filter((place) => holdsInPlace(condition, place))),
    isHeldByScore: setOf(places.filter((place) => isHeldByScore(condition, place))),
  };
}

/** The origin of a name that has a path, where all paths of its host are hidden. */
function hiddenOrigins(text: string, { defaultBrokers, mask }: NameRules): readonly string[] {
  const [, origin, hostname = ''] = ORIGIN_BEFORE_PATH.exec(canonicalName(text, defaultBrokers, mask)) ?? [];
  return origin === undefined || mask(hostname, ANY_PATH) === ANY_PATH ? [] : [origin];
}

const ORIGIN_BEFORE_PATH = /^(https?:\/\/(\[[^\]]*\]|[^/:]*)(?::\d+)?)\//;
/** A path that is hidden only where all are. */
const ANY_PATH = '/a';

function setOf(texts: readonly string[]): Readonly<Record<string, true>> {
  return Object.fromEntries(texts.map((text) => [text, true]));
}

/**
 * Texts of which one must stand in the search fields of a task that matches. It is empty where that cannot be said. To look for
 * them takes Redis less time than to divide the fields.
 */
function needlesOf({ field, isNegated, values }: Condition, rules: NameRules): readonly string[] {
  const compared = values.flatMap((value) => (value.kind === 'text' ? comparedTexts(field, value.text, rules) : value.kind === 'prefix' ? [value.text] : ['']));
  const needles = compared.map((text) => needlesFor(field, text, rules));
  return isNegated || needles.some((texts) => texts.length === 0) ? [] : [...new Set(needles.flat())];
}

/**
 * The groups that Redis looks for. The conditions decide in any case, so a group may be left out: where there are too many texts, to look
 * for them all would cost more than it saves. Small groups come first.
 */
function fewNeedles(groups: readonly (readonly string[])[]): readonly (readonly string[])[] {
  let left = MOST_NEEDLES;
  return groups
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.length - b.length)
    .filter(({ length }) => (left -= length) >= 0);
}

function needlesFor(field: Condition['field'], text: string, rules: NameRules): readonly string[] {
  switch (field) {
    case 'client_id':
    case 'source':
    case 'destination_type':
    case 'flow_key':
      return text === '' ? [] : [text];
    case 'destination_key': {
      // Any flow_key is a name too, and a cluster has several.
      if (text === '' || text.startsWith('kafka:')) return [];
      const [hidden] = hiddenOrigins(text, rules);
      // A task from before the host was hidden has another path.
      if (hidden !== undefined) return [text, hidden + SEARCH_FIELDS_SEPARATOR];
      const [, host = '', path = ''] = /^(https?:\/\/[^/]+)(\/.*)$/s.exec(text) ?? [];
      return path === '' ? [text] : [text, host + SEARCH_FIELDS_SEPARATOR + path];
    }
    default:
      return [];
  }
}

function comparedTexts(field: Condition['field'], text: string, { defaultBrokers, mask }: NameRules): readonly string[] {
  switch (field) {
    case 'id':
      return [jobIdOf(text)];
    case 'state':
      return statesNamed(text);
    case 'destination_key':
      return [text, canonicalName(text, defaultBrokers, mask)];
    default:
      return [text];
  }
}

/** All numbers and times that are compared are whole. */
function closed(end: 'min' | 'max', bound: Bound | undefined): { readonly min?: number; readonly max?: number } {
  if (bound === undefined) return {};
  const step = end === 'min' ? 1 : -1;
  return { [end]: bound.isOpen ? bound.at + step : bound.at };
}

/**
 * Texts of which one must stand in a message that matches, whatever its form. It is empty where that cannot be said. Redis
 * looks for them, so that only messages that have one are sent to Node.
 */
function hintsOf({ isNegated, values }: Condition): readonly string[] {
  const texts = values.map(hintOf);
  return isNegated || texts.includes('') ? [] : texts;
}

/** Characters that JSON writes in one way, but for \u, which the script looks for too. The beginning of a text is enough, and found sooner. */
function hintOf(value: FilterValue): string {
  return (value.kind === 'text' || value.kind === 'prefix') && /^[\w.@:-]+$/.test(value.text) ? value.text.slice(0, HINT_CHARACTERS) : '';
}

function idsOf(filter: Filter): readonly string[] | undefined {
  let ids: readonly string[] | undefined;
  for (const { field, isNegated, values } of filter) {
    if (field !== 'id' || isNegated) continue;
    const texts = values.flatMap((value) => (value.kind === 'text' ? [value.text] : []));
    if (texts.length < values.length) continue;
    ids = ids === undefined ? [...new Set(texts)] : ids.filter((id) => texts.includes(id));
  }
  return ids;
}
