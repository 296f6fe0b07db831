import type { RequestListener } from 'node:http';
import { performance } from 'node:perf_hooks';
import { anonymousCaller } from '../../shared/domain/access/caller.js';
import type { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { ANSWERED, sendAnswer, type Answer } from './answer.js';
import { sendError } from './error-response.js';
import { checkProtocol } from './protocol-check.js';
import { parseQuery } from './query.js';
import { RequestContext } from './request-context.js';
import { RouteMatcher } from './route-matcher.js';
import type { Route } from './route.js';

/**
 * Lets a request pass, or throws the RequestError that it is refused with. It returns a promise only if it has to wait,
 * since every submission passes here.
 */
export type RequestCheck = (context: RequestContext) => undefined | Promise<void>;

/** An answer that has ended. */
export interface AnswerTiming {
  /** The metric label of the row, or of the answer to a request without a row. The list of labels is closed. */
  readonly metricLabel: string;
  readonly method: string;
  /** null: the client went away before an answer began. */
  readonly status: number | null;
  /** Time from the request's headers to the last byte of the answer. */
  readonly durationMs: number;
  /** The client went away, or the answer was cut off, before its last byte. */
  readonly isAborted: boolean;
}

/** Stages that are set from outside. By default each of them lets everything pass. */
export interface PipelineStages {
  /** Checks the Host and Origin that the request names. */
  readonly checkOrigin?: RequestCheck;
  /** HTTP_MAX_HEADER_LINES; the default is 200. */
  readonly maxHeaderLines?: number;
  /** Checks the sender of the request against the role of `context.match.served`. */
  readonly checkAccess?: RequestCheck;
  /** Checks it once more while a long body comes in. Nothing is counted by it: it is still the same call. The default is `checkAccess`. */
  readonly recheckAccess?: RequestCheck;
  readonly onAnswered?: (timing: AnswerTiming) => void;
  /** Sets the span of the request. */
  readonly trace?: ((context: RequestContext) => void) | undefined;
  /** What is answered in place of the JSON of a refusal: a page, for a person. */
  readonly pageInPlaceOf?: (refusal: RequestError, context: RequestContext) => Answer | undefined;
  /** Called behind the answer to a request that was refused, or that met a bug of ours. */
  readonly onRefused?: (refusal: RequestError, context: RequestContext) => void;
}

const letPass: RequestCheck = () => undefined;

/** A pipeline without a check of access belongs to no API that asks for keys. */
const letEverybodyPass: RequestCheck = (context) => {
  context.caller = anonymousCaller;
  return undefined;
};

/**
 * Every request takes this one way: request id, protocol, Host and Origin, access, query, handler, answer or error answer,
 * timing.
 * There is no other listener, so no request is answered without the checks.
 */
export function createRequestPipeline<Parts extends { readonly logger: Logger }>(
  routes: readonly Route<Parts>[],
  parts: Parts,
  { maxHeaderLines = 200, checkOrigin = letPass, checkAccess = letEverybodyPass, recheckAccess = checkAccess, pageInPlaceOf, onAnswered, trace, onRefused }: PipelineStages = {},
): RequestListener {
  const matcher = new RouteMatcher(routes);
  return (request, response) => {
    const match = matcher.match(request.method ?? '', request.url ?? '');
    const context = new RequestContext(request, response, match);
    if (onAnswered !== undefined) reportTiming(context, onAnswered);
    if (trace !== undefined) trace(context);
    // It never rejects: every error that is thrown is answered.
    void answer();

    async function answer(): Promise<void> {
      try {
        const { served, search } = match;
        checkProtocol(request, response, maxHeaderLines);
        // It is not simply awaited: to await a value that is no promise delays every submission by a turn of the
        // microtask queue.
        const originChecked = checkOrigin(context);
        if (originChecked !== undefined) await originChecked;
        const accessChecked = checkAccess(context);
        if (accessChecked !== undefined) await accessChecked;
        if (checkAccess !== letEverybodyPass) context.accessChecked(recheckAccess, accessChecked === undefined ? context.receivedAt : performance.now());
        if (search !== '' && served.query !== 'any') context.query = parseQuery(search, served.query);
        const made = await served.handle(context, parts);
        if (made !== ANSWERED) sendAnswer(response, made, context.requestId, context.answerHeaders);
      } catch (thrown) {
        const refusal = sendError(context, thrown, parts.logger, pageInPlaceOf);
        onRefused?.(refusal, context);
      }
    }
  };
}

function reportTiming({ request, response, match, method, receivedAt }: RequestContext, onAnswered: (timing: AnswerTiming) => void): void {
  const { socket } = request;
  // Node emits this once: after the last byte, or when the connection is gone. `once` would cost each request a wrapper.
  response.on('close', () => {
    onAnswered({
      metricLabel: match.served.metricLabel,
      method,
      status: response.headersSent ? response.statusCode : null,
      durationMs: performance.now() - receivedAt,
      // An answer that is cut off also "finishes", because nothing of it waits any more. But its connection is gone by then.
      isAborted: !response.writableFinished || socket.destroyed,
    });
  });
}
