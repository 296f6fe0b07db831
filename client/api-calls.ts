import { ApiError, NoAnswerError } from './api-error.js';
import { linkedSignal, pause } from './linked-signal.js';
import { isWorthRepeating, retryAfterMs, waitMs } from './repeat-policy.js';
import type { Answer, Asked, Route, Schemas } from './routes.js';

export interface ClientOptions {
  /** The address of the service: `http://127.0.0.1:8080`. It may have a path, where a proxy serves it under one. */
  readonly url: string;
  /** The name under which changes are recorded: the header X-Operator. It is a claim. */
  readonly operator?: string;
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey?: string;
  /** The longest time of one try, ms; what takes the service long has 30,000 at least, and many tasks 60,000. Default 10,000, of a test send 290,000. */
  readonly timeoutMs?: number;
  /** How often a call is repeated that got 429, 503 or no answer, unless Retry-After asks for more than a minute. Default 5. */
  readonly retries?: number;
}

interface CallSettings {
  /** Sent as it is, in place of `body`. */
  readonly content?: { readonly type: string; readonly text: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /**
   * false: to do it twice is more than to do it once. Then it is repeated only when it is certain that nothing was done. Default
   * true.
   */
  readonly isRepeatable?: boolean;
  /** The limit of one try is no shorter; for calls that take long. */
  readonly atLeastMs?: number;
  /** The limit of one try where the options have none. */
  readonly defaultMs?: number;
  /** Counts the tries: of a repeated call an answer may be about what the try before has done. */
  readonly tries?: { count: number };
}

/** A list is written with commas. What is undefined is left out. */
type QueryValues = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A call as it is sent: its types have been looked at by then. */
interface AnyCall extends CallSettings {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: QueryValues;
  /** Sent as JSON. */
  readonly body?: unknown;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRIES = 5;

/** The one place of the client that sends requests: headers, time limits, repeats and errors. */
export class ApiCalls {
  readonly #base: string;

  constructor(private readonly options: ClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
  }

  /**
   * Sends a request, and repeats it when it got 429, 503 or no answer.
   * @param route `GET /tasks/{id}`; the contract says what it takes and answers
   * @returns the JSON of the answer
   * @throws ApiError for a refusal, NoAnswerError when none of the tries was answered, and the reason of the signal
   */
  call<R extends Route, A extends Answer<R> = Answer<R>>(route: R, call: Asked<R> & CallSettings): Promise<A>;
  async call(route: string, call: AnyCall): Promise<unknown> {
    const { retries = DEFAULT_RETRIES } = this.options;
    for (let nth = 0; ; nth += 1) {
      if (call.tries !== undefined) call.tries.count = nth + 1;
      try {
        return await this.#try(route, call);
      } catch (error) {
        call.signal?.throwIfAborted();
        if (nth >= retries || !isWorthRepeating(error, call.isRepeatable ?? true)) throw error;
        await pause(waitMs(error, nth), call.signal);
      }
    }
  }

  async #try(route: string, { path = {}, query = {}, body, content, headers = {}, signal, atLeastMs = 0, defaultMs = DEFAULT_TIMEOUT_MS }: AnyCall): Promise<unknown> {
    const timeoutMs = Math.max(this.options.timeoutMs ?? defaultMs, atLeastMs);
    const [method = '', template = ''] = route.split(' ');
    const url = `${this.#base}${printPath(template, path)}${printQuery(query)}`;
    const limit = linkedSignal(signal, timeoutMs);
    const sent = content ?? (body === undefined ? undefined : { type: 'application/json', text: JSON.stringify(body) });
    const { operator, apiKey } = this.options;
    try {
      const response = await fetch(url, {
        method,
        headers: {
          accept: 'application/json',
          ...(sent === undefined ? {} : { 'content-type': sent.type }),
          ...(operator === undefined ? {} : { 'x-operator': encodeURIComponent(operator) }),
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...headers,
        },
        ...(sent === undefined ? {} : { body: sent.text }),
        // A redirect would turn a POST into a GET.
        redirect: 'manual',
        signal: limit.signal,
      });
      const text = await response.text();
      if (!response.ok) throw refusalOf(this.#base, response, text);
      return text === '' && response.status === 204 ? undefined : parsed(this.#base, text, response);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      signal?.throwIfAborted();
      if (limit.isOver) throw new NoAnswerError(`${this.#base} has not answered within ${timeoutMs} ms`, false, { cause: error });
      throw new NoAnswerError(`no answer from ${this.#base}: ${causeOf(error)}`, isUnsent(error), { cause: error });
    } finally {
      limit.release();
    }
  }
}

/** `/tasks/{id}` -> `/tasks/order%2F1`. @throws RangeError for a step such as `..`, which would be taken out of the path before it is sent */
function printPath(template: string, parts: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const part = parts[name] ?? '';
    if (part === '' || part === '.' || part === '..') throw new RangeError(`${JSON.stringify(part)} is no ${name}`);
    return encodeURIComponent(part);
  });
}

function printQuery(query: QueryValues): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  // A space may be written as + in a query, but some proxies leave it so in front of services that do not know.
  const text = parameters.toString().replaceAll('+', '%20');
  return text === '' ? '' : `?${text}`;
}

/** Every answer of the service is an object. @throws ApiError with the code `unknown` for any other: another program listens there */
function parsed(base: string, text: string, response: Response): object {
  const body = objectOf(text);
  if (body === undefined) throw refusalOf(base, response, text);
  return body;
}

function refusalOf(base: string, { status, headers }: Response, text: string): ApiError {
  const body = objectOf(text);
  const { error, code, request_id: requestId, details } = (body ?? {}) as Partial<Schemas['Error']>;
  const message = typeof error === 'string' ? error : `${base} does not answer like this service (${`${status} ${text.slice(0, 200).replaceAll(/\s+/g, ' ')}`.trim()})`;
  return new ApiError(status, typeof code === 'string' ? code : 'unknown', message, requestId ?? headers.get('x-request-id'), details ?? [], retryAfterMs(headers, Date.now()), body);
}

function objectOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined; // the answer of a proxy, such as a page
  }
}

/** fetch says no more than "fetch failed"; why stands in its cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message;
}

function isUnsent(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause && (cause.code === 'ECONNREFUSED' || cause.code === 'ENOTFOUND' || cause.code === 'EAI_AGAIN' || cause.code === 'UND_ERR_CONNECT_TIMEOUT');
}
