import type { RequestListener } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Logger } from '../../shared/logging/logger.js';
import { ANSWERED, sendAnswer } from './answer.js';
import { sendError } from './error-response.js';
import { parseQuery } from './query.js';
import { RequestContext } from './request-context.js';
import { RouteMatcher } from './route-matcher.js';
import type { Route } from './route.js';

/**
 * Lets a request pass, or throws the RequestError that it is refused with. Only a check that has to wait returns a promise:
 * each one costs every submission.
 */
export type RequestCheck = (context: RequestContext) => undefined | Promise<void>;

/** One answer that is over. */
export interface AnswerTiming {
  /** The label of the row, or of the answer where no row is. There is a closed list of them. */
  readonly metricLabel: string;
  readonly method: string;
  readonly status: number;
  /** From the request's headers to the last byte of the answer. */
  readonly durationMs: number;
  /** The client went away, or the answer was cut off, before its last byte. */
  readonly isAborted: boolean;
}

/** Stages that are filled from outside; the default of each lets everything pass. */
export interface PipelineStages {
  /** Judges the Host and the Origin that the request names. */
  readonly checkOrigin?: RequestCheck;
  /** Judges the caller by the role of `context.match.served`. */
  readonly checkAccess?: RequestCheck;
  readonly onAnswered?: (timing: AnswerTiming) => void;
}

const letPass: RequestCheck = () => undefined;

/**
 * The one way of every request, whatever it meets: request id, Host and Origin, access, query, handler, answer or error
 * answer, timing. There is no other listener, so nothing is answered past a check.
 */
export function createRequestPipeline<Parts extends { readonly logger: Logger }>(
  routes: readonly Route<Parts>[],
  parts: Parts,
  { checkOrigin = letPass, checkAccess = letPass, onAnswered }: PipelineStages = {},
): RequestListener {
  const matcher = new RouteMatcher(routes);
  return (request, response) => {
    const match = matcher.match(request.method ?? '', request.url ?? '');
    const context = new RequestContext(request, response, match);
    if (onAnswered !== undefined) reportTiming(context, onAnswered);
    // It never rejects: what is thrown is answered.
    void answer();

    async function answer(): Promise<void> {
      try {
        const { served, search } = match;
        // Not simply awaited: a promise that is none costs a turn of the queue for every submission.
        const originChecked = checkOrigin(context);
        if (originChecked !== undefined) await originChecked;
        const accessChecked = checkAccess(context);
        if (accessChecked !== undefined) await accessChecked;
        if (search !== '' && served.query !== 'any') context.query = parseQuery(search, served.query);
        const made = await served.handle(context, parts);
        if (made !== ANSWERED) sendAnswer(response, made, context.requestId);
      } catch (thrown) {
        sendError(context, thrown, parts.logger);
      }
    }
  };
}

function reportTiming({ response, match, method }: RequestContext, onAnswered: (timing: AnswerTiming) => void): void {
  const startedAt = performance.now();
  // Emitted once, after the last byte or when the connection is gone.
  response.once('close', () => {
    onAnswered({
      metricLabel: match.served.metricLabel,
      method,
      status: response.statusCode,
      durationMs: performance.now() - startedAt,
      isAborted: !response.writableFinished,
    });
  });
}
