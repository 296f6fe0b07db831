import type { Socket } from 'node:net';
import type { Cluster, Redis } from 'ioredis';
import { AlignedInterval } from '../lifecycle/aligned-timer.js';

const ASK_EVERY_MS = 500;
/** A master that has answered nothing for this long may have been replaced, ms. */
const SILENT_AFTER_MS = 1_000;

/**
 * Leads a client of a cluster, and the clients that BullMQ makes from it, away from a master that was replaced while it was frozen
 * or cut off. Nothing fails there, because its connections stay open, and ioredis learns of another master only by an error: workers
 * kept to the old one until they gave up the connection, after 15 s.
 *
 * Masters are asked twice a second. While one is silent, another node is asked who has its slots. When it has none any more, its connections are
 * closed, and what was not answered goes to the new master. While no other node has the slots, nothing is closed.
 */
export function followMasters(cluster: Cluster): void {
  const made = new Set<Cluster>();
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (nodes, options) => {
    const client = duplicate(nodes, options);
    client.on('ready', () => made.add(client));
    client.on('end', () => made.delete(client));
    return client;
  };
  const askedAt = new Map<Redis, number>();
  const look = (): void => {
    const now = performance.now();
    for (const node of cluster.nodes('master')) {
      // `wait`: it is connected to when it is needed.
      if (askedAt.has(node) || node.status === 'wait' || node.status === 'end') continue;
      askedAt.set(node, now);
      const answered = (): void => void askedAt.delete(node);
      node.ping().then(answered, answered); // its owner hears of a failed connection
    }
    const silent = [...askedAt].flatMap(([node, at]) => (now - at >= SILENT_AFTER_MS ? [node] : []));
    if (silent.length === 0 || cluster.status !== 'ready') return;
    cluster.refreshSlotsCache((error) => {
      // No node has said who the masters are. The next look asks again.
      if (error) return;
      // By address: a connection that ended meanwhile was made anew, as another object.
      const masters = new Set(cluster.nodes('master').map(addressOf));
      for (const node of silent.filter((each) => !masters.has(addressOf(each)))) for (const client of [cluster, ...made]) leave(client, node);
    });
  };
  // After a long turn of ours the answers are in the sockets, which are read between the timer and the immediate.
  const timer = new AlignedInterval(ASK_EVERY_MS, () => void setImmediate(look));
  cluster.once('end', () => timer.stop());
}

/** Ends the connections at once. ioredis waits for 2 s until a frozen server has closed, too, before it sends elsewhere what was not answered. */
function leave(client: Cluster, left: Redis): void {
  for (const node of [left, ...client.nodes()]) if (addressOf(node) === addressOf(left)) streamOf(node)?.destroy();
}

function addressOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}

/** There is none before the first connection, although its type promises one. */
function streamOf({ stream }: { readonly stream?: Socket }): Socket | undefined {
  return stream;
}
