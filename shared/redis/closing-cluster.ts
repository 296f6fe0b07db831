import type { Cluster, Redis } from 'ioredis';

/**
 * Lets the client of a cluster, and those that BullMQ makes from it, end a disconnect. ioredis waits until the last node of its pool has ended (6.0.0,
 * cluster/index.js). A reply that stood in a socket may still say MOVED, and then it puts the named node into the pool, which nobody connects to
 * and nobody ends. The client stayed `disconnecting` for ever, with every command in its queue: a worker did not hear of the tasks of a shard whose
 * master was replaced at the moment in which BullMQ made its waiting connection anew.
 */
export function endWhileDisconnecting(cluster: Cluster): void {
  cluster.on('+node', (node: Redis) => {
    if (cluster.status === 'disconnecting') node.disconnect();
  });
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (nodes, options) => {
    const client = duplicate(nodes, options);
    endWhileDisconnecting(client);
    return client;
  };
}
