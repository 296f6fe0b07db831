import { openGuard, type AddressGuard } from '../../../shared/addresses/address-guard.js';
import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { Clock, DeliveryAdapter, DeliveryAttempt, DeliveryResult, EndSignal, Random } from '../../../shared/domain/ports.js';
import { openFileLimit } from '../../../shared/lifecycle/open-files.js';
import type { Logger } from '../../../shared/logging/logger.js';
import { classifyFailure, describeError, isBugOfOurs } from './classify-failure.js';
import { ConnectionPools } from './connection-pools.js';
import { createCredentialsInUse, noCredentials, type CredentialsOption, type Preparation } from './credentials/credentials-in-use.js';
import type { Exchange } from './exchange.js';
import { exchange } from './exchange.js';
import { idleOriginsFor } from './idle-origins.js';
import { judgeAbort } from './judge-abort.js';
import { judgeAnswer } from './judge-answer.js';
import type { ProxySettings } from './proxy-tunnel.js';
import { hasOwnLogin, requestOf } from './request.js';
import { parseTarget, type Target } from './target.js';

export interface HttpAdapterOptions {
  /** The clock is used for a Retry-After that is a date, in an answer without a Date, and for signatures and tokens. The default is Date.now. */
  readonly clock?: Clock;
  /**
   * Limit for name look-up, TCP and TLS together, in whole milliseconds; it is coarse, up to 1 s late. The default is
   * 10,000.
   */
  readonly connectTimeoutMs?: number;
  /** How many origins may keep connections open while nothing is sent to them; one with TLS counts as four. The default is 10,240, or a quarter of the files that may be open. */
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
  /** The default is none: receivers are connected to directly. */
  readonly proxy?: ProxySettings | undefined;
  /** Told when the proxy cannot be used, and when it can again. */
  readonly logger?: Pick<Logger, 'error' | 'info'>;
  /** What operators have stored for destinations. The default has nothing. */
  readonly credentials?: CredentialsOption;
}

/**
 * Sends attempts as HTTP requests, with the body unchanged, `X-Message-Key`, the headers of the destination and provenance headers. A user and
 * password in the url become an Authorization header. Redirects are not followed, and at most 64 KiB of an answer's body
 * are read.
 *
 * The attempt's signal is the time limit; the only other one is that for the connection. A private certificate
 * authority is trusted through Node's own NODE_EXTRA_CA_CERTS, or through the credentials of the destination.
 *
 * A request that meets a kept connection just as the server closes it is sent once more, over a new connection, in the same
 * attempt. The receiver may have read it all the same: that is one of the duplicates that docs/DELIVERY.md speaks of. What
 * becomes of the new connection is the result. undici keeps such cases rare: before it reuses a connection it
 * looks whether the end has come, and then makes a new one by itself. So is a request whose token a receiver refused, once.
 *
 * @see design.md, "What is sent"
 */
export function createHttpAdapter({
  clock = Date.now,
  connectTimeoutMs = 10_000,
  maxIdleOrigins = idleOriginsFor(openFileLimit()),
  maxConnectionAgeMs = 30_000,
  random = Math.random,
  guard = openGuard(),
  proxy,
  logger,
  credentials: option,
}: HttpAdapterOptions = {}): DeliveryAdapter<HttpDestination> {
  const pools = new ConnectionPools({ connectTimeoutMs, maxIdleOrigins, maxAgeMs: maxConnectionAgeMs, random, guard, proxy, logger });
  const credentials = option === undefined ? noCredentials : createCredentialsInUse(option, pools, clock);

  /** Apart from `send`, because most sends have nothing to prepare and need no function of their own. */
  async function sendOnce(attempt: DeliveryAttempt, destination: HttpDestination, target: Target, signal: EndSignal, prepared: Preparation | undefined): Promise<DeliveryResult> {
    const request = requestOf(attempt, destination, target, prepared);
    for (let which: 'any' | 'new' = 'any'; ; which = 'new') {
      const refusal = reasonNotToSend(signal, pools);
      if (refusal !== undefined) return refusal;
      // The connection is given back here, and not by a function around the exchange: each promise more shows in the delivery rate.
      const borrowed = pools.borrow(target.origin, prepared?.identity, which);
      let result: Exchange;
      try {
        result = await exchange(borrowed.connection, request, signal);
      } finally {
        pools.giveBack(borrowed);
      }
      if (which === 'new' || result.kind === 'aborted' || !result.isStale) return judge(result, clock());
    }
  }

  return {
    type: 'http',

    send(attempt, destination, signal) {
      const target = parseTarget(destination.url);
      const used = credentials.of(target);
      if (used === undefined) return sendOnce(attempt, destination, target, signal, undefined);
      const refusal = reasonNotToSend(signal, pools);
      if (refusal !== undefined) return Promise.resolve(refusal);
      return used.send(attempt, { url: destination.url, hasOwnLogin: hasOwnLogin(destination, target) }, signal, (prepared) => sendOnce(attempt, destination, target, signal, prepared));
    },

    async close() {
      credentials.close();
      await pools.close();
    },
  };
}

function reasonNotToSend(signal: EndSignal, pools: ConnectionPools): DeliveryResult | undefined {
  if (signal.aborted) return judgeAbort(signal.reason);
  if (pools.isClosed) return { kind: 'failed', code: 'shutting_down', detail: 'the HTTP adapter is closed' };
  return undefined;
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
