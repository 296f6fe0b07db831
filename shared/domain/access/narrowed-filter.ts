import type { Filter } from '../search/filter.js';

/**
 * The same filter for the tasks of these clients alone.
 * @param clientIds null or undefined: of all clients
 */
export function narrowedFilter(filter: Filter, clientIds: readonly string[] | null | undefined): Filter {
  if (clientIds === null || clientIds === undefined) return filter;
  return [...filter, { field: 'client_id', isNegated: false, values: clientIds.map((text) => ({ kind: 'text', text })) }];
}
