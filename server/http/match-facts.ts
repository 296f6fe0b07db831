import type { RouteAccess } from '../../shared/domain/access/route-access.js';

/** What checks and metrics know of a request: its row, or the answer for requests that match none. */
export interface ServedFacts extends RouteAccess {
  /** The name in metrics and logs. It never contains an id or a key. */
  readonly metricLabel: string;
  /** Names of parameters behind `?`; every other name is refused. `any`: the handler looks at them itself. */
  readonly query: readonly string[] | 'any';
  /** A person opens it in a browser, so its refusals are pages, too. */
  readonly isPage?: true;
}

/** Parts of a path that its row names, decoded. */
export type PathParams = ReadonlyMap<string, string>;

/** The row that a request matches, or the answer that it gets without one. */
export interface MatchFacts {
  readonly served: ServedFacts;
  /** The parts of the path that the row names, decoded. */
  readonly params: PathParams;
  /** The path as it came, without the query. */
  readonly path: string;
  /** The text behind the `?`; it is empty without one. */
  readonly search: string;
  /** The header Allow of this path; it is empty for an unknown path. */
  readonly allow: string;
}
