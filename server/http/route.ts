import type { Answer } from './answer.js';
import type { ServedFacts } from './match-facts.js';
import type { RequestContext } from './request-context.js';

/**
 * The body that a route reads, and its media types in the contract. `none`: no body is read. `reason`: it may be left out
 * (readReasonBody of asked-change.ts).
 */
export const mediaTypesOf = {
  none: [],
  reason: ['application/json'],
  json: ['application/json'],
  merge_patch: ['application/json', 'application/merge-patch+json'],
  json_or_ndjson: ['application/json', 'application/x-ndjson'],
} as const satisfies Record<string, readonly string[]>;

export type RouteBody = keyof typeof mediaTypesOf;

/** GET answers HEAD too, and OPTIONS is answered for every path, so neither has a row. */
export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The same, with its handler. Only the pipeline calls the handler. */
export interface Served<Parts> extends ServedFacts {
  /** @throws RequestError for a refusal. Any other error is answered as a bug of ours. */
  readonly handle: (context: RequestContext, parts: Parts) => Promise<Answer>;
}

/**
 * One row of the route table: everything about a route. `Parts` are the parts of the process that its handler needs.
 */
export interface Route<Parts> extends Served<Parts> {
  readonly method: RouteMethod;
  /**
   * `/tasks/:id`: each part is a text or `:name`. `*` as the last part stands for any number of parts. Paths are
   * compared after percent-decoding, letter case included; one slash at the end makes no difference.
   */
  readonly path: `/${string}`;
  readonly body: RouteBody;
  /** Its name in docs/openapi.yaml; null for a route that is not part of the contract. */
  readonly operationId: string | null;
  /** Why other methods are refused here, if the reason is more than that the method does not exist. */
  readonly otherMethodsAreRefusedBecause?: string;
}
