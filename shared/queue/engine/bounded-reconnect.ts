import type { RedisQueueBackend } from 'bullmq';
import type { PendingCalls } from './pending-calls.js';

/** After this long BullMQ's loop goes on without the connection. Its next wait connects again. */
const RECONNECT_WITHIN_MS = 2_000;

/** What ioredis says of a closed connection. BullMQ's loop takes no notice of it. */
const CLOSED = 'Connection is closed.';

/** The part of a connection that is needed here. */
interface Connecting {
  connect(): Promise<void>;
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
 *
 * BullMQ's reconnect waits for a connection that is being made, and connects anew when that one ends (6.7.0,
 * redis-connection.js). A stop of the worker ends it, too: the new connection then had no owner, and kept its process from ending.
 * So a closed worker connects no more.
 */
export function boundReconnect(backend: RedisQueueBackend, calls: PendingCalls): RedisQueueBackend {
  const reconnect = backend.reconnectBlocking.bind(backend);
  let guarded: Connecting | undefined;
  backend.reconnectBlocking = () =>
    calls.track('connect', RECONNECT_WITHIN_MS, async () => {
      const client = await backend.blockingClient;
      if (client === undefined) return;
      if (guarded !== client) refuseWhen(() => backend.closing !== undefined, client);
      guarded = client;
      await endOrReady(reconnect(), client);
    });
  return backend;
}

function refuseWhen(isClosed: () => boolean, client: Connecting): void {
  const connect = client.connect.bind(client);
  client.connect = () => (isClosed() ? Promise.reject(new Error(CLOSED)) : connect());
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
