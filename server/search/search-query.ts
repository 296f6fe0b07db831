import { RequestError } from '../../shared/domain/errors.js';
import { filterNames } from '../../shared/domain/search/filter-fields.js';
import { isFilterName, parseFilterMembers, type Filter } from '../../shared/domain/search/filter.js';
import { narrowedFilter } from '../../shared/domain/access/narrowed-filter.js';
import type { Caller } from '../../shared/domain/access/caller.js';
import { needPermission } from '../access/need-permission.js';
import type { Query } from '../http/query.js';
import { hintForChoice } from '../http/value-hint.js';

/** The parameters that say which tasks are meant. */
export const filterParameters: readonly string[] = ['q', ...filterNames, 'data.*'];

/**
 * The conditions in all parameters of a request together, for the tasks of the caller's clients: each must match.
 * @throws RequestError invalid_query for the first one that cannot be read, and those of checkFilterAccess
 */
export function parseFilter(query: Query, caller: Caller): Filter {
  const filter = parseFilterMembers([...query].filter(([name]) => name === 'q' || isFilterName(name)));
  checkFilterAccess(filter, caller);
  return narrowedFilter(filter, caller.clientIds);
}

/** A caller that may look for a value in messages can read them bit by bit. @throws RequestError forbidden */
export function checkFilterAccess(filter: Filter, caller: Caller): void {
  if (filter.some(({ field }) => field === 'data')) needPermission(caller, 'payload');
}

/** @throws RequestError invalid_request for another word */
export function parseChoice<const Word extends string, Default>(query: Query, name: string, choices: readonly Word[], otherwise: Default): Word | Default {
  const text = query.get(name);
  if (text === undefined) return otherwise;
  const choice = choices.find((each) => each === text);
  if (choice !== undefined) return choice;
  const message = `${name} must be one of ${choices.join(', ')}${hintForChoice(text, choices)}`;
  throw new RequestError('invalid_request', message, [{ field: name, message }]);
}
