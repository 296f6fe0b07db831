import { isDestinationType } from '../../shared/domain/destinations/destination.js';
import type { TaskRules } from '../../shared/domain/task/task-field.js';
import { taskFieldRows, typeNamedFor, type BoundField } from '../../shared/domain/task/task-fields.js';
import { fastCheckOf, isFields, isPlainDestination, type Fields } from './fast-field-check.js';

/**
 * Recognises a task that is certainly right, without Joi, which takes as long as everything else that is done with a task
 * before it is sent to Redis. It refuses nothing: all other tasks are left to the schema. A test compares the two: the
 * schema accepts every task that is accepted here, and makes the same of it.
 *
 * The checks are made here, once at start, so that a task costs a look-up and a call for each of its fields.
 *
 * @returns false: ask the schema
 */
export function createFastTaskCheck(rules: TaskRules): (input: unknown) => input is Fields {
  const checks = new Map(taskFieldRows.flatMap((row) => fieldChecksOf(row, rules)));
  const countOf = (wanted: BoundField['presence']): number => [...checks.values()].filter(({ presence }) => presence === wanted).length;
  const needed = countOf('always');
  const neededUnlessParked = countOf('unless_parked');
  return (input): input is Fields => {
    if (!isFields(input)) return false;
    let seen = 0;
    let seenUnlessParked = 0;
    // One pass over the fields that there are: `__proto__`, which JSON.parse makes a key like any other, is in no row.
    for (const name in input) {
      const check = checks.get(name);
      if (check === undefined) return false;
      const value = input[name];
      if (value === undefined) continue;
      if (!check.isPlain(value, input)) return false;
      if (check.presence === 'always') seen += 1;
      else if (check.presence === 'unless_parked') seenUnlessParked += 1;
    }
    return seen === needed && (seenUnlessParked === neededUnlessParked || input['on_exhausted'] === 'park');
  };
}

interface NamedCheck {
  readonly presence: BoundField['presence'];
  isPlain(value: unknown, input: Fields): boolean;
}

function fieldChecksOf(row: BoundField, rules: TaskRules): (readonly [name: string, check: NamedCheck])[] {
  const { wire, presence } = row;
  const check = typeof row.check === 'function' ? row.check(rules) : row.check;
  if (check.kind !== 'destination') return [[wire, { presence, isPlain: fastCheckOf(check) }]];
  return [
    [check.typeField, { presence: check.elseTypeField === undefined ? 'always' : 'optional', isPlain: isDestinationType }],
    [wire, { presence, isPlain: (value, input) => isPlainDestination(typeNamedFor(check, input), value) }],
  ];
}
