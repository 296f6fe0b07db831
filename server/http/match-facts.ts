/** What a key may be. */
export type KeyRole = 'submit' | 'read' | 'operate' | 'admin';

/**
 * Who may call a route: its role, and the roles of keys that have it. `none`: no key is asked for. `any_key`: a key is
 * asked for, and its role does not matter.
 */
export const keyRolesOf = {
  none: [],
  any_key: ['submit', 'read', 'operate', 'admin'],
  submit: ['submit', 'operate', 'admin'],
  read: ['read', 'operate', 'admin'],
  operate: ['operate', 'admin'],
  admin: ['admin'],
} as const satisfies Record<string, readonly KeyRole[]>;

export type RouteRole = keyof typeof keyRolesOf;

/** What checks and metrics know of whatever is served: a row, or the answer to a request that meets none. */
export interface ServedFacts {
  readonly role: RouteRole;
  /** How metrics and logs name it: never with an id or a key in it. */
  readonly metricLabel: string;
  /** Names of parameters behind `?`: every other one is refused. `any`: the handler looks at them itself. */
  readonly query: readonly string[] | 'any';
}

/** Parts of a path that its row names, decoded. */
export type PathParams = ReadonlyMap<string, string>;

/** What a request met. */
export interface MatchFacts {
  readonly served: ServedFacts;
  /** Parts of the path that the row names, decoded. */
  readonly params: PathParams;
  /** The path as it came, without the query. */
  readonly path: string;
  /** Behind the `?`; empty without one. */
  readonly search: string;
  /** The header Allow of this path; empty where nothing is. */
  readonly allow: string;
}
