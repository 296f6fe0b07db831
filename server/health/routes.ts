import { RequestError } from '../../shared/domain/errors.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { PingedWrites } from '../../shared/queue/tasks/ping-writes.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

const LIMIT_MS = 1_000;

/** `refused` means that Redis answers, but takes no writes, or has too few replicas for them to count. */
type CheckResult = 'ok' | 'failed' | 'refused';

export interface HealthParts {
  readonly queue: Pick<TaskQueue, 'ping' | 'pingWrite'>;
  /** Whether this process was told to stop: it still answers, and is to be sent nothing new. */
  readonly isStopping: () => boolean;
  /** With AUTH=on: whether any access key can be judged. A process that has never read them refuses every call, and may end because there are none. */
  readonly areKeysKnown: () => boolean;
}

/**
 * /health (the seed form: does Redis answer), /livez (this process), /readyz (can tasks be taken and changed now). On a cluster it is enough
 * that one shard works; the others are named.
 * A Redis that answers and refuses writes is healthy for /health: its form knows only a lost connection.
 */
export const healthRoutes: readonly Route<HealthParts>[] = [
  {
    method: 'GET',
    path: '/health',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'health',
    metricLabel: '/health',
    handle: async (_context, { queue }) => {
      const { result, shardsAway } = await check(queue.ping());
      return result === 'ok' ? jsonAnswer(200, { status: 'healthy', ...awayFacts(shardsAway) }) : jsonAnswer(503, { status: 'unhealthy', error: 'redis connection failed' });
    },
  },
  {
    method: 'GET',
    path: '/livez',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'livez',
    metricLabel: '/livez',
    handle: async () => jsonAnswer(200, { status: 'alive' }),
  },
  {
    method: 'GET',
    path: '/readyz',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'readyz',
    metricLabel: '/readyz',
    handle: async (_context, { queue, isStopping, areKeysKnown }) => {
      const { result: redis, shardsAway, fleet: fleetNow = 'ok', previous = 'ok' } = await check(queue.pingWrite().then(whatIsAccepted));
      const isKeyless = !areKeysKnown();
      // Tasks can be taken without it, as long as the keys of their senders are known.
      const fleet = isKeyless && fleetNow === 'ok' ? 'failed' : fleetNow;
      const facts = { checks: { redis, ...(fleet === 'ok' ? {} : { fleet }), ...(previous === 'ok' ? {} : { previous }) }, ...awayFacts(shardsAway) };
      if (isStopping()) return jsonAnswer(503, { status: 'stopping', ...facts });
      // One shard that is away must not take all replicas of the API out of service: the others work.
      const isReady = redis === 'ok' && previous === 'ok' && !isKeyless;
      return jsonAnswer(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready', ...facts });
    },
  },
];

/** Where REDIS_MIN_REPLICAS is not met nothing is accepted, as where writes are refused. */
function whatIsAccepted({ shardsAway, shardsRefusing, shardsUnreplicated, isAnyAccepting, fleet, previous = 'ok' }: PingedWrites): Checked {
  // With all refused there is nothing more to say.
  return isAnyAccepting ? { result: 'ok', shardsAway: [...shardsAway, ...shardsRefusing, ...shardsUnreplicated], fleet: fleet === 'unreplicated' ? 'refused' : fleet, previous } : { result: 'refused', shardsAway, previous };
}

interface Checked {
  readonly result: CheckResult;
  readonly shardsAway: readonly string[];
  /** What stands once for the whole fleet: keys, sessions, limits. */
  readonly fleet?: CheckResult;
  /** The store that the service moves away from, without which nothing new is accepted. */
  readonly previous?: CheckResult;
}

async function check(ping: Promise<Pick<Checked, 'shardsAway'> & Partial<Checked>>): Promise<Checked> {
  try {
    return { result: 'ok', ...(await withinLimit(ping, LIMIT_MS, () => new Error(`no answer within ${LIMIT_MS} ms`))) };
  } catch (error) {
    // The answer says that Redis cannot be used. The reason is in the log already: see redis-watch.ts and refusal-log.ts.
    return { result: error instanceof RequestError && error.code === 'redis_refused' ? 'refused' : 'failed', shardsAway: [] };
  }
}

/** The seed's form has no such field, so it is there only when there is something to tell. */
function awayFacts(shardsAway: readonly string[]): { readonly shards_away?: readonly string[] } {
  return shardsAway.length === 0 ? {} : { shards_away: shardsAway };
}
