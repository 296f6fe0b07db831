import { RequestError } from '../../shared/domain/errors.js';
import type { MatchFacts, PathParams } from './match-facts.js';
import { nearestName } from './nearest-name.js';
import { callMeantBy } from './other-words.js';
import type { Route, Served } from './route.js';

export interface RouteMatch<Parts> extends MatchFacts {
  readonly served: Served<Parts>;
}

/** All routes of one path. */
interface Resource<Parts> {
  readonly routes: readonly { readonly route: Route<Parts>; readonly params: PathParams }[];
  readonly allow: string;
}

const NO_PARAMS: PathParams = new Map();

/**
 * Finds the row for a request. Every spelling of a path is answered alike: `/tasks`, `/tasks/`, `/%74asks` and
 * `http://host/tasks` match the same rows; `/Tasks` and `//tasks` match none. So another spelling cannot pass a rule that
 * belongs to a row (role, limits, metrics).
 */
export class RouteMatcher<Parts> {
  readonly #rows: readonly { readonly route: Route<Parts>; readonly parts: readonly string[] }[];
  /** Paths without parameters in their usual spelling: a look-up finds them at once. */
  readonly #known = new Map<string, Resource<Parts>>();
  readonly #allowOfAll: string;

  /** @throws Error when two rows have the same method and path */
  constructor(routes: readonly Route<Parts>[]) {
    this.#rows = routes.map((route) => ({ route, parts: route.path.split('/').slice(1) })).sort((a, b) => rank(b.parts) - rank(a.parts));
    const seen = new Set<string>();
    for (const { method, path } of routes) {
      const shape = `${method} ${path.replace(/:\w+/g, ':')}`;
      if (seen.has(shape)) throw new Error(`two routes for ${shape}`);
      seen.add(shape);
    }
    this.#allowOfAll = allowOf(routes);
    for (const { path } of routes) if (!/[:*]/.test(path)) this.#known.set(path, this.#resourceAt(path.split('/').slice(1)));
  }

  /** @param target of the request line, such as `/tasks/a?include=message_data` */
  match(method: string, target: string): RouteMatch<Parts> {
    const known = this.#known.get(target);
    if (known !== undefined) return choose(known, method, target, '');
    const queryAt = target.indexOf('?');
    const path = originForm(queryAt < 0 ? target : target.slice(0, queryAt));
    const search = queryAt < 0 ? '' : target.slice(queryAt + 1);
    if (path === '*' && method === 'OPTIONS') return { served: optionsAnswer, params: NO_PARAMS, path, search, allow: this.#allowOfAll };
    let resource = this.#known.get(path);
    if (resource === undefined) {
      const parts = decodedParts(path);
      if (parts === undefined) return { served: malformedPath, params: NO_PARAMS, path, search, allow: '' };
      resource = this.#resourceAt(parts);
    }
    if (resource.routes.length === 0) return { served: unknownPath(() => this.#hintFor(method, path)), params: NO_PARAMS, path, search, allow: '' };
    return choose(resource, method, path, search);
  }

  /** Which path was probably meant by one that has no row. */
  #hintFor(method: string, path: string): string {
    const [first = '', ...others] = path.split('/').slice(1);
    const call = callMeantBy(method, path);
    if (call !== undefined) return `: did you mean ${call}?`;
    const spelled = this.#withLastPartSpelled(method, path);
    const encoded = this.#withSlashesEncoded(method, path);
    if (spelled !== undefined) return `: did you mean ${spelled}?${encoded === undefined ? '' : ` A / in an id or key must be written as %2F, as in ${encoded}`}`;
    if (encoded !== undefined) return `: a / in an id or key must be written as %2F, as in ${encoded}`;
    const known = [...new Set(this.#rows.map(({ parts }) => parts[0] ?? ''))].filter((part) => part !== '' && part !== first);
    const bare = withoutPrefix([first, ...others]);
    if (bare.length <= others.length && known.includes(bare[0] ?? '')) return `: did you mean /${bare.join('/')}? A path has nothing in front here, such as /api or a version`;
    const nearest = nearestName(decodeOrKeep(first), known);
    return nearest === undefined ? '' : `: did you mean /${[nearest, ...others].join('/')}?`;
  }

  /** `/destinations/a/puase` -> `/destinations/a/pause`. Behind an id that has a / in it this is tried only for a change: a path that is read may be an id to its end. */
  #withLastPartSpelled(method: string, path: string): string | undefined {
    const isRead = method === 'GET' || method === 'HEAD';
    const parts = path.replace(/\/$/, '').split('/').slice(1);
    const [first = '', ...others] = parts;
    const typed = others.pop() ?? '';
    if (others.length === 0 || (isRead && others.length > 1)) return undefined;
    const known = this.#rows.flatMap(({ route, parts: [start, id, end = '', ...more] }) => (start === first && id?.startsWith(':') === true && end !== '' && !/^[:*]/.test(end) && more.length === 0 && route.method === (isRead ? 'GET' : method) ? [end] : []));
    const nearest = nearestName(decodeOrKeep(typed), known);
    return nearest === undefined || nearest === typed ? undefined : `/${first}/${others.join('%2F')}/${nearest}`;
  }

  /** `/tasks/a/b/retry` -> `/tasks/a%2Fb/retry`: the path that one row has, if all that is too much belongs to its parameter. */
  #withSlashesEncoded(method: string, path: string): string | undefined {
    const parts = path.split('/').slice(1);
    const meant = this.#rows.flatMap(({ route, parts: pattern }) => {
      const at = pattern.findIndex((part) => part.startsWith(':'));
      const surplus = parts.length - pattern.length;
      if (at < 0 || surplus < 1 || pattern.at(-1) === '*') return [];
      const joined = [...parts.slice(0, at), parts.slice(at, at + surplus + 1).join('%2F'), ...parts.slice(at + surplus + 1)];
      const decoded = decodedParts(`/${joined.join('/')}`);
      return decoded !== undefined && paramsOf(pattern, decoded) !== undefined ? [{ route, path: `/${joined.join('/')}` }] : [];
    });
    // With another method the path would be answered 405: no hint is better than one that leads there.
    return meant.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method))?.path;
  }

  #resourceAt(parts: readonly string[]): Resource<Parts> {
    const routes = this.#rows.flatMap(({ route, parts: pattern }) => {
      const params = paramsOf(pattern, parts);
      return params === undefined ? [] : [{ route, params }];
    });
    return { routes, allow: allowOf(routes.map(({ route }) => route)) };
  }
}

/** `api`, `v1`, `tasks` -> `tasks`: other APIs have such parts in front, and a base url that ends in a slash makes an empty one. */
function withoutPrefix(parts: readonly string[]): readonly string[] {
  const from = parts.findIndex((part) => !/^(?:api|rest|v\d{1,2})?$/i.test(part));
  return from < 0 ? [] : parts.slice(from);
}

/** Fixed parts are tried before parameters, and parameters before `*`. */
function rank(pattern: readonly string[]): number {
  const fixed = pattern.filter((part) => !part.startsWith(':') && part !== '*').length;
  return fixed + (pattern.at(-1) === '*' ? 0 : 1_000);
}

function choose<Parts>({ routes, allow }: Resource<Parts>, method: string, path: string, search: string): RouteMatch<Parts> {
  const found = routes.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method));
  if (found !== undefined) return { served: found.route, params: found.params, path, search, allow };
  if (method === 'OPTIONS') return { served: optionsAnswer, params: NO_PARAMS, path, search, allow };
  const refusal = routes.find(({ route }) => route.otherMethodsAreRefusedBecause !== undefined)?.route.otherMethodsAreRefusedBecause;
  return { served: refusal === undefined ? otherMethod : refusedMethod(refusal), params: NO_PARAMS, path, search, allow };
}

/** The methods that are not answered with 405. */
function allowOf(routes: readonly { readonly method: string }[]): string {
  if (routes.length === 0) return '';
  const methods = new Set(routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])));
  return [...[...methods].sort((a, b) => METHOD_ORDER.indexOf(a) - METHOD_ORDER.indexOf(b)), 'OPTIONS'].join(', ');
}

const METHOD_ORDER = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** A proxy may send the whole address (RFC 9112, 3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '');
  return path === '' && target !== '' ? '/' : path;
}

/** @returns undefined for a text that is not percent-encoded correctly */
function decodedParts(path: string): string[] | undefined {
  const parts = path.split('/').slice(1);
  // One slash at the end makes no difference; `//` is another path.
  if (parts.length > 1 && parts.at(-1) === '' && parts.at(-2) !== '') parts.pop();
  try {
    return parts.map((part) => (part.includes('%') ? decodeURIComponent(part) : part));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function decodeOrKeep(part: string): string {
  return decodedParts(`/${part}`)?.[0] ?? part;
}

/** @returns undefined for another path */
function paramsOf(pattern: readonly string[], parts: readonly string[]): PathParams | undefined {
  const isOpen = pattern.at(-1) === '*';
  const length = isOpen ? pattern.length - 1 : pattern.length;
  if (isOpen ? parts.length < length : parts.length !== length) return undefined;
  let params: Map<string, string> | undefined;
  for (let index = 0; index < length; index += 1) {
    const [expected = '', part = ''] = [pattern[index], parts[index]];
    if (expected.startsWith(':')) {
      if (part === '') return undefined;
      (params ??= new Map()).set(expected.slice(1), part);
    } else if (expected !== part) return undefined;
  }
  return params ?? NO_PARAMS;
}

// Answers to requests without a row. They ask for a key like any other request, so that a stranger does not learn which
// paths there are.

function unknownPath(hint: () => string): Served<unknown> {
  return {
    role: 'any_key',
    isNarrowed: true,
    metricLabel: 'unknown path',
    query: 'any',
    handle: async ({ match }) => {
      throw new RequestError('not_found', `there is nothing at ${match.path}${hint()}`);
    },
  };
}

const malformedPath: Served<unknown> = {
  role: 'any_key',
  isNarrowed: true,
  metricLabel: 'malformed path',
  query: 'any',
  handle: async () => {
    throw new RequestError('invalid_request', 'the path is not valid percent-encoding');
  },
};

const otherMethod: Served<unknown> = {
  role: 'any_key',
  isNarrowed: true,
  metricLabel: 'other method',
  query: 'any',
  handle: async ({ method, match }) => {
    throw new RequestError('method_not_allowed', `${method} is not possible here, only ${match.allow}`);
  },
};

function refusedMethod(reason: string): Served<unknown> {
  return {
    // A key that may change nothing is refused for that.
    role: 'operate',
    metricLabel: otherMethod.metricLabel,
    query: 'any',
    handle: async () => {
      throw new RequestError('action_refused', reason);
    },
  };
}

/** Names the methods. It allows nothing to other origins: there is no CORS here. */
const optionsAnswer: Served<unknown> = {
  role: 'any_key',
  isNarrowed: true,
  metricLabel: 'options',
  query: 'any',
  handle: async ({ match }) => ({ status: 204, headers: { Allow: match.allow } }),
};
