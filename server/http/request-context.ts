import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../shared/domain/access/caller.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { LogFields } from '../../shared/logging/log-line.js';
import type { RequestSpan } from '../../shared/telemetry/tracing/tracing.js';
import type { AnswerHeaders } from './answer.js';
import { NO_QUERY, type Query } from './query.js';
import { requestIdOf } from './request-id.js';
import type { MatchFacts } from './match-facts.js';
import { shortText } from './short-error.js';

const MAX_PATH_CHARACTERS = 300;

/**
 * A url, a user and password, or a destination, whose id is `~` and base64url of what the caller has typed: plain or encoded once or more, and in a
 * path that no route has. It hides too much rather than too little. Its time grows with the length alone.
 */
const MAY_HOLD_URL = /@|%(?:25)*40|(?::|%(?:25)*3a)(?:[/\\]|%(?:25)*(?:2f|5c))|https?(?::|%(?:25)*3a)|(?:^|\/|%(?:25)*2f)(?:~|%(?:25)*7e)|\/destinations\/./i;

/** Whether a text that a client has chosen may hold a url or a login, which must not be logged. */
export function mayHoldUrl(text: string): boolean {
  return MAY_HOLD_URL.test(text);
}

/** What the log says of a request that was refused for its key. */
export interface AccessNote {
  readonly reason: RefusalReason;
  /** The id that the request has named; undefined: none that a key can have. It is no secret. */
  readonly keyId: string | undefined;
}

/** With what the process itself takes to hear of it, a key that is revoked stops within a second. */
export const CHECKED_EVERY_MS = 100;

/** One request on its way through the pipeline. */
export class RequestContext {
  readonly requestId: string;
  /** When its headers had come, monotonic ms. */
  readonly receivedAt = performance.now();
  /** It holds only names that the route has. The pipeline sets it after the access check. */
  query: Query = NO_QUERY;

  #checkAccess: ((context: RequestContext) => undefined | Promise<void>) | undefined;
  #accessCheckedAt = 0;

  /** Why the access check has refused the request, for the log alone. */
  accessNote: AccessNote | undefined;
  #caller: Caller | undefined;
  /** Sent with every answer to this request, a refusal too. */
  answerHeaders: AnswerHeaders | undefined;
  /** undefined where nothing is traced. */
  span: RequestSpan | undefined;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly match: MatchFacts,
  ) {
    this.requestId = requestIdOf(request.headers['x-request-id']);
  }

  /**
   * Who sends the request. The access check sets it. @throws Error before that, and on a route that asks for no key: then nothing is
   * known of the caller, and nothing must be decided by it
   */
  get caller(): Caller {
    if (this.#caller === undefined) throw new Error('nothing is known of the caller of this request');
    return this.#caller;
  }

  /** The same; undefined where nothing is known of the caller. */
  get knownCaller(): Caller | undefined {
    return this.#caller;
  }

  set caller(caller: Caller) {
    this.#caller = caller;
  }

  /** Monotonic ms: now. The first check comes right behind the headers, and needs no look at the clock of its own. */
  get accessAskedAt(): number {
    return this.#checkAccess === undefined ? this.receivedAt : performance.now();
  }

  /** A body may take long to come, and its key may be revoked meanwhile. It costs no more than a look at the clock. */
  get isAccessOld(): boolean {
    return this.#checkAccess !== undefined && performance.now() - this.#accessCheckedAt >= CHECKED_EVERY_MS;
  }

  /**
   * Its access has been checked, and can be checked again in the same way. Only where keys are asked for.
   * @param at `receivedAt`, where the check did not wait
   */
  accessChecked(check: (context: RequestContext) => undefined | Promise<void>, at: number): void {
    this.#checkAccess = check;
    this.#accessCheckedAt = at;
  }

  /** @throws what the access check throws */
  async renewAccess(): Promise<void> {
    await this.#checkAccess?.(this);
    this.#accessCheckedAt = performance.now();
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
   * Fields for every log line about this request, and for its span. The path is as it came, without its query, and cut. Where a destination or
   * a url stands in it, which may have a password or a token, its route is named instead.
   */
  get logFields(): LogFields {
    const { path, params, served } = this.match;
    const holdsUrl = params.has('key') || [path, ...params.values()].some(mayHoldUrl);
    const { keyId = this.#caller?.id ?? undefined } = this.accessNote ?? {};
    return { request_id: this.requestId, method: this.method, path: holdsUrl ? served.metricLabel : shortText(path, MAX_PATH_CHARACTERS), ...(keyId === undefined ? {} : { key_id: keyId }) };
  }
}
