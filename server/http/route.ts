import type { Answer } from './answer.js';
import type { ServedFacts } from './match-facts.js';
import type { RequestContext } from './request-context.js';

/** What a route reads of a body, and the media types of the contract for it. `none`: a body is not read. */
export const mediaTypesOf = {
  none: [],
  json: ['application/json'],
  json_or_ndjson: ['application/json', 'application/x-ndjson'],
} as const satisfies Record<string, readonly string[]>;

export type RouteBody = keyof typeof mediaTypesOf;

/** GET answers HEAD too, and OPTIONS is answered for every path: neither has a row. */
export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The same, with its handler, which is the pipeline's to call. */
export interface Served<Parts> extends ServedFacts {
  /** @throws RequestError for a refusal. Whatever else it throws is answered as a bug of ours. */
  readonly handle: (context: RequestContext, parts: Parts) => Promise<Answer>;
}

/**
 * One row of the route table: all that there is to know of a route. `Parts`: what its handler needs of the rest of the
 * process.
 */
export interface Route<Parts> extends Served<Parts> {
  readonly method: RouteMethod;
  /**
   * `/tasks/:id`: each part is a text or `:name`. `*` as the last part stands for any number of parts. Paths are
   * compared after percent-decoding, letter case included; one slash at the end makes no difference.
   */
  readonly path: `/${string}`;
  readonly body: RouteBody;
  /** Its name in docs/openapi.yaml; null: it is not part of the contract. */
  readonly operationId: string | null;
  /** Why other methods are refused here, where that is more than a method that does not exist. */
  readonly otherMethodsAreRefusedBecause?: string;
}
