import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import { PortRefusals, type PortRefusal } from './port-refusals.js';

const REDIS_LIMIT_MS = 1_000;
/** A prober and a few scrapers need no more. */
const MOST_CONNECTIONS = 50;
const REQUEST_WITHIN_MS = 10_000;
const BEARER = /^Bearer +(\S+)$/i;

export interface WorkerPortOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'text' | 'contentType' | 'counter'>;
  readonly logger: Pick<Logger, 'info'>;
  /** WRONG_KEYS_PER_SECOND */
  readonly wrongTokensPerSecond: number;
  /** Whether whoever sends this text may read metrics; undefined: the request sends none. */
  readonly mayRead: (token: string | undefined) => boolean;
  /** Whether metrics are shown to whoever asks for this name (the Host header). */
  readonly isAllowedHost: (host: string) => boolean;
  readonly life: () => WorkerLife;
  /** Fails when Redis does not answer. */
  readonly pingRedis: () => Promise<unknown>;
}

/** `starting` includes the wait for a Redis that is away. */
export type WorkerLife = 'starting' | 'taking_tasks' | 'stopping';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/**
 * The port of a worker: GET /metrics, /livez and /readyz, and nothing else. It is no part of the API, and knows neither its routes nor its
 * keys.
 *
 * /livez says that the event loop turns. It does not ask Redis: an outage of Redis must not have a whole fleet started anew.
 */
export class WorkerPort {
  readonly #server: Server;
  readonly #refusals: PortRefusals;

  constructor(private readonly options: WorkerPortOptions) {
    this.#refusals = new PortRefusals(options.logger, options.metrics, options.wrongTokensPerSecond);
    this.#server = createServer({ requestTimeout: REQUEST_WITHIN_MS, headersTimeout: REQUEST_WITHIN_MS, maxHeaderSize: 8_192 }, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // Any other code is of a connection that was broken or idle.
      if (error.code?.startsWith('HPE_') !== true || !socket.writable) {
        socket.destroy();
        return;
      }
      this.#refusals.note({ code: 'invalid_request', remoteAddress: socket instanceof Socket ? socket.remoteAddress : undefined });
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    });
  }

  /** @returns the port. @throws the system's error, such as EADDRINUSE */
  async start(): Promise<number> {
    const { host } = this.options;
    try {
      return await this.#listen(host);
    } catch (error) {
      // Many containers have no IPv6. `::` means all addresses, so there it means those of IPv4.
      if (host === '::' && error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT') return this.#listen('0.0.0.0');
      throw error;
    }
  }

  #listen(host: string): Promise<number> {
    const { port } = this.options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Ends it at once, with what is being answered. It may be called before `start`, and twice. */
  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    this.#refusals.flush();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, text } = await this.#answerTo(request).catch(() => plain(500, 'a bug of ours'));
    response.writeHead(status, { ...(status === 405 ? { Allow: 'GET, HEAD' } : {}), 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}) });
    // Node leaves the text out of the answer to HEAD.
    response.end(text);
  }

  async #answerTo({ method, url = '', headers, socket: { remoteAddress } }: IncomingMessage): Promise<Answer> {
    const { metrics, mayRead, isAllowedHost, life, pingRedis } = this.options;
    const [path] = url.split('?');
    if (path !== '/metrics' && path !== '/livez' && path !== '/readyz') return this.#refuse({ code: 'not_found', remoteAddress }, 'a worker has /metrics, /livez and /readyz');
    if (method !== 'GET' && method !== 'HEAD') return this.#refuse({ code: 'method_not_allowed', remoteAddress }, 'only GET and HEAD are possible here');
    switch (path) {
      case '/metrics':
        if (!isAllowedHost(headers.host ?? '')) return this.#refuse({ code: 'unknown_host', reason: 'host', remoteAddress }, 'metrics are not shown under this name: it is not in ALLOWED_HOSTS');
        if (!mayRead(BEARER.exec(headers.authorization ?? '')?.[1])) return this.#refuseReader(headers.authorization, remoteAddress);
        return { status: 200, type: metrics.contentType, text: await metrics.text() };
      case '/livez':
        return json(200, { status: 'alive' });
      case '/readyz': {
        const redis = await isAnswering(pingRedis());
        const isReady = redis && life() === 'taking_tasks';
        return json(isReady ? 200 : 503, { status: isReady ? 'ready' : life() === 'stopping' ? 'stopping' : 'not_ready', checks: { redis: redis ? 'ok' : 'failed' } });
      }
    }
  }

  /** A request without a token is no guess. */
  async #refuseReader(authorization: string | undefined, remoteAddress: string | undefined): Promise<Answer> {
    const isGuess = authorization !== undefined && authorization !== '';
    if (isGuess && (await this.#refusals.slow(remoteAddress))) return this.#refuse({ code: 'rate_limited', reason: 'guesses', remoteAddress }, 'too many wrong tokens');
    return this.#refuse({ code: 'unauthenticated', reason: isGuess ? 'wrong_secret' : 'no_key', remoteAddress }, 'this needs METRICS_TOKEN, as Authorization: Bearer');
  }

  #refuse(refusal: PortRefusal, text: string): Answer {
    return plain(this.#refusals.note(refusal), text);
  }
}

async function isAnswering(ping: Promise<unknown>): Promise<boolean> {
  try {
    await withinLimit(ping, REDIS_LIMIT_MS, () => new Error(`no answer within ${REDIS_LIMIT_MS} ms`));
    return true;
  } catch {
    // The answer says so. The reason is in the log already: see redis-watch.ts.
    return false;
  }
}

function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', text: `${text}\n` };
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json; charset=utf-8', text: JSON.stringify(body) };
}
