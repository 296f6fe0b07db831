import type { RedisQueueBackend } from 'bullmq';
import type { PendingCalls } from './pending-calls.js';

/** After this long BullMQ's loop goes on without the connection. Its next wait connects again. */
const RECONNECT_WITHIN_MS = 2_000;

/** The part of a connection that is needed here. */
interface Connecting {
  once(event: 'ready', listener: () => void): unknown;
  off(event: 'ready', listener: () => void): unknown;
}

/**
 * Makes a reconnect of the waiting connection end for certain.
 *
 * The promise of ioredis' `Cluster.connect()` never settles when a node has told the slots and the cluster is not ready
 * behind that: ioredis then connects again, and the second attempt has another promise (6.0.0, cluster/index.js). BullMQ's
 * loop awaits the first promise after each failover, for ever, though the connection is ready 100 ms later. Its shard stood
 * still in three of four failovers. So a reconnect also ends when the connection is ready, or after 2 s.
 */
export function boundReconnect(backend: RedisQueueBackend, calls: PendingCalls): RedisQueueBackend {
  const reconnect = backend.reconnectBlocking.bind(backend);
  backend.reconnectBlocking = () =>
    calls.track('connect', RECONNECT_WITHIN_MS, async () => {
      const client = await backend.blockingClient;
      if (client !== undefined) await endOrReady(reconnect(), client);
    });
  return backend;
}

/** @throws the error of `connected`, if that comes first */
function endOrReady(connected: Promise<void>, client: Connecting): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(limit);
      client.off('ready', goOn);
    };
    const goOn = (): void => {
      stop();
      resolve();
    };
    const limit = setTimeout(goOn, RECONNECT_WITHIN_MS);
    client.once('ready', goOn);
    connected.then(goOn, (error: unknown) => {
      stop();
      reject(error instanceof Error ? error : new Error(String(error)));
    });
  });
}
