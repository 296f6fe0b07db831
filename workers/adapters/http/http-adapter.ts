import type { Dispatcher } from 'undici';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { Clock, DeliveryAdapter, DeliveryAttempt, DeliveryResult } from '../../../shared/domain/ports.js';
import { ShuttingDown, TimeLimitReached } from '../../../shared/domain/ports.js';
import { classifyFailure, describeError, isBugOfOurs } from './classify-failure.js';
import { ConnectionPools } from './connection-pools.js';
import type { Exchange } from './exchange.js';
import { exchange } from './exchange.js';
import { headerValue } from './header-value.js';
import { judgeAnswer } from './judge-answer.js';
import type { Target } from './target.js';
import { parseTarget } from './target.js';

export interface HttpAdapterOptions {
  /** The clock is used only for a Retry-After that is a date. The default is Date.now. */
  readonly clock?: Clock;
  /**
   * Limit for name look-up, TCP and TLS together, in whole milliseconds; it is coarse, up to 1 s late. The default is
   * 10,000.
   */
  readonly connectTimeoutMs?: number;
  /** How many origins may keep connections open while nothing is sent to them. The default is 1,024. */
  readonly maxIdleOrigins?: number;
}

/**
 * Sends attempts as HTTP POST requests, with the body unchanged, `X-Message-Key` and provenance headers. A user and
 * password in the url become an Authorization header. Redirects are not followed, and at most 64 KiB of an answer are
 * read.
 *
 * The attempt's signal is the time limit; the only other one is that for the connection. A private certificate
 * authority is trusted through Node's own NODE_EXTRA_CA_CERTS.
 *
 * A request that meets a kept connection just as the server closes it fails as connection_reset. It is not repeated
 * here: part of it may have been read, and the caller counts attempts. undici keeps such cases rare:
 * before it reuses a connection it looks whether the end has come, and then makes a new one by itself.
 *
 * @see design.md, "What is sent"
 */
export function createHttpAdapter({
  clock = Date.now,
  connectTimeoutMs = 10_000,
  maxIdleOrigins = 1_024,
}: HttpAdapterOptions = {}): DeliveryAdapter<HttpDestination> {
  const pools = new ConnectionPools({ connectTimeoutMs, maxIdleOrigins });

  return {
    type: 'http',

    async send(attempt, destination, signal) {
      if (signal.aborted) return judgeAbort(signal.reason);
      if (pools.isClosed) return { kind: 'failed', code: 'shutting_down', detail: 'the HTTP adapter is closed' };
      const target = parseTarget(destination.url);
      const request = requestOf(attempt, target);
      return judge(await pools.lend(target.origin, (pool) => exchange(pool, request, signal)), clock());
    },

    close() {
      return pools.close();
    },
  };
}

function requestOf(attempt: DeliveryAttempt, { path, authorization }: Target): Dispatcher.DispatchOptions {
  const headers = [
    'Content-Type', 'application/json',
    'User-Agent', 'kafka-retry-service/1.0',
    'X-Message-Key', headerValue(attempt.key),
  ];
  if (authorization !== undefined) headers.push('Authorization', authorization);
  for (const name of Object.keys(attempt.headers)) headers.push(name, headerValue(attempt.headers[name] ?? ''));
  return { method: 'POST', path, headers, body: attempt.body };
}

function judge(exchange: Exchange, nowMs: number): DeliveryResult {
  switch (exchange.kind) {
    case 'answered':
      return judgeAnswer(exchange, nowMs);
    case 'aborted':
      return judgeAbort(exchange.reason);
    case 'broken':
      if (isBugOfOurs(exchange.error)) throw exchange.error;
      return {
        kind: 'failed',
        code: classifyFailure(exchange.error, exchange.headersArrived),
        detail: describeError(exchange.error),
      };
  }
}

function judgeAbort(reason: unknown): DeliveryResult {
  if (reason instanceof TimeLimitReached) return { kind: 'failed', code: 'timed_out', detail: reason.message };
  if (reason instanceof ShuttingDown) return { kind: 'failed', code: 'shutting_down', detail: reason.message };
  throw new Error('the signal of an attempt was aborted for a reason that ports.ts does not know', { cause: reason });
}
