import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import { destinationTypeNames, rowOf, type DestinationType, type WireDestination } from '../../shared/domain/destinations/destination.js';
import type { FieldCheck, TextCheck } from '../../shared/domain/field-check.js';

type TextsByName = Extract<FieldCheck, { kind: 'texts_by_name' }>;

/** true: certainly right. false: ask the schema, which may still accept it. */
export type FastCheck = (value: unknown) => boolean;

/** A check is made once for each field at start, so that a task costs only calls. */
export function fastCheckOf(check: FieldCheck): FastCheck {
  switch (check.kind) {
    case 'text':
      return fastTextCheck(check.checks, check.maxCharacters ?? Infinity);
    case 'number': {
      const { above = -Infinity, min = -Infinity, max, isWhole = false } = check;
      // -0 is left to the schema, which makes 0 of it.
      return (value) => typeof value === 'number' && value >= min && value > above && value <= max && (!isWhole || Number.isInteger(value)) && !Object.is(value, -0);
    }
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'choice': {
      const choices: readonly unknown[] = check.choices;
      return (value) => choices.includes(value);
    }
    case 'port':
      return (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
    case 'texts_by_name': {
      const isRight = fastEntryCheckOf(check);
      return (value) => isFields(value) && areFewTexts(value, check.maxNames, isRight);
    }
  }
}

/** The same for a name that the client chooses, and its value. */
export type FastEntryCheck = (name: string, value: unknown) => boolean;

export function fastEntryCheckOf(check: TextsByName): FastEntryCheck {
  const isName = fastTextCheck(check.name, Infinity);
  const isValue = fastTextCheck(check.value, Infinity);
  return (name, value) => isName(name) && (value === '' || isValue(value));
}

function areFewTexts(texts: Fields, maxNames: number, isRight: FastEntryCheck): boolean {
  let names = 0;
  for (const name in texts) {
    names += 1;
    // The schema refuses `__proto__` by name.
    if (names > maxNames || name === '__proto__' || !isRight(name, texts[name])) return false;
  }
  return true;
}

function fastTextCheck(checks: readonly TextCheck[], maxCharacters: number): FastCheck {
  return (value) => {
    if (typeof value !== 'string' || value === '' || value.length > maxCharacters) return false;
    for (const check of checks) if (check(value) !== undefined) return false;
    return true;
  };
}

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an object is certainly right as the destination of a type. */
export function isPlainDestination(type: unknown, destination: unknown): boolean {
  return fastDestinationChecks.get(type)?.(destination) === true;
}

const fastDestinationChecks: ReadonlyMap<unknown, FastCheck> = new Map(destinationTypeNames.map((type) => [type, fastDestinationCheckOf(type)]));

function fastDestinationCheckOf(type: DestinationType): FastCheck {
  const { fields, together = [], ...row } = rowOf(type);
  const checks = Object.entries<DestinationField>(fields).map(([name, { check, isRequired }]) => ({ name, isRequired, isPlain: fastCheckOf(check) }));
  const known = new Set(checks.map(({ name }) => name));
  return (value) => {
    if (!isFields(value) || !hasOnly(known, value)) return false;
    for (const { name, isRequired, isPlain } of checks) {
      const field = value[name];
      if (field === undefined ? isRequired : !isPlain(field)) return false;
    }
    if (together.some((name) => value[name] === undefined) && together.some((name) => value[name] !== undefined)) return false;
    // Every field of the wire form was looked at above.
    return row.checkAll?.(value as unknown as WireDestination) === undefined;
  };
}

/** `__proto__`, which JSON.parse makes a key like any other, is in none of the lists. */
function hasOnly(known: ReadonlySet<string>, fields: Fields): boolean {
  for (const name in fields) if (!known.has(name)) return false;
  return true;
}
