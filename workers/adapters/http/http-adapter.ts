import type { Dispatcher } from 'undici';

import { openGuard, type AddressGuard } from '../../../shared/addresses/address-guard.js';
import { DEFAULT_CONTENT_TYPE, type HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { Clock, DeliveryAdapter, DeliveryAttempt, DeliveryResult, EndSignal, Random } from '../../../shared/domain/ports.js';
import { ShuttingDown, TimeLimitReached } from '../../../shared/domain/ports.js';
import { classifyFailure, describeError, isBugOfOurs } from './classify-failure.js';
import type { Connection } from './connection.js';
import { ConnectionPools } from './connection-pools.js';
import type { Exchange } from './exchange.js';
import { exchange } from './exchange.js';
import { headerValue } from './header-value.js';
import { judgeAnswer } from './judge-answer.js';
import type { Target } from './target.js';
import { parseTarget } from './target.js';

export interface HttpAdapterOptions {
  /** The clock is used only for a Retry-After that is a date, in an answer without a Date. The default is Date.now. */
  readonly clock?: Clock;
  /**
   * Limit for name look-up, TCP and TLS together, in whole milliseconds; it is coarse, up to 1 s late. The default is
   * 10,000.
   */
  readonly connectTimeoutMs?: number;
  /** How many origins may keep connections open while nothing is sent to them. The default is 1,024. */
  readonly maxIdleOrigins?: number;
  /**
   * Mean age, in milliseconds, at which a connection is replaced and the name of its host looked up again; each one gets
   * from 2/3 to 4/3 of it. The default is 30,000: a host that moves is noticed within a minute.
   */
  readonly maxConnectionAgeMs?: number;
  /** It spreads the ages of connections. The default is Math.random. */
  readonly random?: Random;
  /** The default refuses only what is never sent to. */
  readonly guard?: AddressGuard;
}

/**
 * Sends attempts as HTTP requests, with the body unchanged, `X-Message-Key`, the headers of the destination and provenance headers. A user and
 * password in the url become an Authorization header. Redirects are not followed, and at most 64 KiB of an answer's body
 * are read.
 *
 * The attempt's signal is the time limit; the only other one is that for the connection. A private certificate
 * authority is trusted through Node's own NODE_EXTRA_CA_CERTS.
 *
 * A request that meets a kept connection just as the server closes it is sent once more, over a new connection, in the same
 * attempt. The receiver may have read it all the same: that is one of the duplicates that docs/DELIVERY.md speaks of. What
 * becomes of the new connection is the result. undici keeps such cases rare: before it reuses a connection it
 * looks whether the end has come, and then makes a new one by itself.
 *
 * @see design.md, "What is sent"
 */
export function createHttpAdapter({
  clock = Date.now,
  connectTimeoutMs = 10_000,
  maxIdleOrigins = 1_024,
  maxConnectionAgeMs = 30_000,
  random = Math.random,
  guard = openGuard(),
}: HttpAdapterOptions = {}): DeliveryAdapter<HttpDestination> {
  const pools = new ConnectionPools({ connectTimeoutMs, maxIdleOrigins, maxAgeMs: maxConnectionAgeMs, random, guard });

  return {
    type: 'http',

    async send(attempt, destination, signal) {
      const refusal = reasonNotToSend(signal, pools);
      if (refusal !== undefined) return refusal;
      const target = parseTarget(destination.url);
      const request = requestOf(attempt, destination, target);
      const send = (connection: Connection): Promise<Exchange> => exchange(connection, request, signal);
      const first = await pools.lend(target.origin, send);
      if (first.kind === 'aborted' || !first.isStale) return judge(first, clock());
      return reasonNotToSend(signal, pools) ?? judge(await pools.lend(target.origin, send, 'new'), clock());
    },

    close() {
      return pools.close();
    },
  };
}

function reasonNotToSend(signal: EndSignal, pools: ConnectionPools): DeliveryResult | undefined {
  if (signal.aborted) return judgeAbort(signal.reason);
  if (pools.isClosed) return { kind: 'failed', code: 'shutting_down', detail: 'the HTTP adapter is closed' };
  return undefined;
}

function requestOf(attempt: DeliveryAttempt, { method, contentType = DEFAULT_CONTENT_TYPE, headers: chosen }: HttpDestination, { path, authorization }: Target): Dispatcher.DispatchOptions {
  const headers = ['Content-Type', contentType];
  // A client may write it, too. It must not stand there twice.
  if (chosen === undefined || !Object.keys(chosen).some((name) => name.toLowerCase() === 'user-agent')) headers.push('User-Agent', 'kafka-retry-service/1.0');
  headers.push('X-Message-Key', headerValue(attempt.key));
  if (authorization !== undefined) headers.push('Authorization', authorization);
  if (chosen !== undefined) for (const name of Object.keys(chosen)) headers.push(name, chosen[name] ?? '');
  for (const name of Object.keys(attempt.headers)) headers.push(name, headerValue(attempt.headers[name] ?? ''));
  return { method: method ?? 'POST', path, headers, body: attempt.body };
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
        code: classifyFailure(exchange.error),
        detail: describeError(exchange.error),
      };
  }
}

function judgeAbort(reason: unknown): DeliveryResult {
  if (reason instanceof TimeLimitReached) return { kind: 'failed', code: 'timed_out', detail: reason.message };
  if (reason instanceof ShuttingDown) return { kind: 'failed', code: 'shutting_down', detail: reason.message };
  throw new Error('the signal of an attempt was aborted for a reason that ports.ts does not know', { cause: reason });
}
