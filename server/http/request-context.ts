import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogFields } from '../../shared/logging/log-line.js';
import { NO_QUERY, type Query } from './query.js';
import { requestIdOf } from './request-id.js';
import type { MatchFacts } from './match-facts.js';

/** One request on its way through the pipeline. */
export class RequestContext {
  readonly requestId: string;
  /** It holds only names that the route has. The pipeline sets it after the access check. */
  query: Query = NO_QUERY;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly match: MatchFacts,
  ) {
    this.requestId = requestIdOf(request.headers['x-request-id']);
  }

  get method(): string {
    return this.request.method ?? '';
  }

  /**
   * A part of the path that the route names, decoded. @throws Error when the route has no such part, which is a bug of
   * ours
   */
  param(name: string): string {
    const value = this.match.params.get(name);
    if (value === undefined) throw new Error(`the route has no parameter ${name}`);
    return value;
  }

  /**
   * Fields for every log line about this request. The path is as it came, without its query. Where a url stands in it, which
   * may have a password or a token, its route is named instead.
   */
  get logFields(): LogFields {
    const { path, params, served } = this.match;
    const holdsUrl = [...params.values()].some((value) => value.includes('://'));
    return { request_id: this.requestId, method: this.method, path: holdsUrl ? served.metricLabel : path };
  }
}
