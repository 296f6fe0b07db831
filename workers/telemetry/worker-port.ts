import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';

const REDIS_LIMIT_MS = 1_000;
/** A prober and a few scrapers need no more. */
const MOST_CONNECTIONS = 50;
const REQUEST_WITHIN_MS = 10_000;
const BEARER = /^Bearer +(\S+)$/i;

export interface WorkerPortOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
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

  constructor(private readonly options: WorkerPortOptions) {
    this.#server = createServer({ requestTimeout: REQUEST_WITHIN_MS, headersTimeout: REQUEST_WITHIN_MS, maxHeaderSize: 8_192 }, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MOST_CONNECTIONS;
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
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, text } = await this.#answerTo(request).catch(() => plain(500, 'a bug of ours'));
    response.writeHead(status, { ...(status === 405 ? { Allow: 'GET, HEAD' } : {}), 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}) });
    // Node leaves the text out of the answer to HEAD.
    response.end(text);
  }

  async #answerTo({ method, url = '', headers }: IncomingMessage): Promise<Answer> {
    const { metrics, mayRead, isAllowedHost, life, pingRedis } = this.options;
    const [path] = url.split('?');
    if (path !== '/metrics' && path !== '/livez' && path !== '/readyz') return plain(404, 'a worker has /metrics, /livez and /readyz');
    if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD are possible here');
    switch (path) {
      case '/metrics':
        if (!isAllowedHost(headers.host ?? '')) return plain(421, 'metrics are not shown under this name: it is not in ALLOWED_HOSTS');
        if (!mayRead(BEARER.exec(headers.authorization ?? '')?.[1])) return plain(401, 'this needs METRICS_TOKEN, as Authorization: Bearer');
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
