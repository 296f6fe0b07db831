import { Cluster, type Redis } from 'ioredis';

type Role = 'master' | 'slave' | 'all';

/** The parts of a cluster's client that are needed here. */
interface NodesOfCluster {
  nodes(role: Role): readonly Redis[];
}

interface Pool {
  getNodes(role: Role): readonly Redis[];
}

/**
 * Makes the client of a cluster ask nodes that answer, where any node will do. ioredis draws one: while a master of three is frozen, one in
 * three of `INFO`, `PING`, `CONFIG` and `TIME` waited for it until the silence was too long, 15 s with a worker. So did the look at
 * `CLUSTER INFO` before a client counts as ready, of which a worker has one for each shard: a worker that was started then took minutes.
 *
 * It is done to the prototypes, because BullMQ makes clients of a cluster by itself. Calling it twice does nothing more.
 *
 * @param cluster any client: the class of its pool is not exported
 * @returns whether it is in force. false: this ioredis is another one than was patched, and is left alone
 */
export function askLivingNodes(cluster: Cluster): boolean {
  const client: unknown = Cluster.prototype;
  const pool: unknown = Object.getPrototypeOf((cluster as unknown as { readonly connectionPool?: object }).connectionPool ?? {});
  if (!has(client, 'readyCheck') || !has(pool, 'getSampleInstance') || !has(pool, 'getNodes')) return false;
  pool['getSampleInstance'] = function (this: Pool, role: Role): Redis | undefined {
    return chooseNode(this.getNodes(role));
  };
  client['readyCheck'] = function (this: NodesOfCluster, done: ReadyCheckDone): void {
    checkReady(this.nodes('master'), done);
  };
  return true;
}

/** @param state what is wrong: `fail` */
type ReadyCheckDone = (error?: unknown, state?: string) => void;

/**
 * One of those that are ready and owe no answer, if there are some; else one of those that are ready; else any.
 * @param random in [0, 1)
 */
export function chooseNode<T extends Pick<Redis, 'status'>>(nodes: readonly T[], random = Math.random()): T | undefined {
  const ready = nodes.filter(({ status }) => status === 'ready');
  const idle = ready.filter((node) => owes(node) === 0);
  const from = [idle, ready, nodes].find((some) => some.length > 0) ?? [];
  return from[Math.floor(random * from.length)];
}

/** Commands without an answer. */
function owes(node: object): number {
  return (node as { readonly commandQueue?: { readonly length: number } }).commandQueue?.length ?? 0;
}

/** All masters are asked, and the first answer counts. It fails when all have failed. */
function checkReady(masters: readonly Redis[], done: ReadyCheckDone): void {
  let isOver = false;
  let left = masters.length;
  const end: ReadyCheckDone = (error, state) => {
    if (isOver) return;
    isOver = true;
    done(error, state);
  };
  if (left === 0) end(new Error('None of startup nodes is available'));
  for (const node of masters) {
    node.cluster('INFO').then(
      (info) => end(undefined, /^cluster_state:fail/m.test(info) ? 'fail' : undefined),
      (error: unknown) => {
        left -= 1;
        if (left === 0) end(error);
      },
    );
  }
}

function has(prototype: unknown, method: string): prototype is Record<string, unknown> {
  return typeof prototype === 'object' && prototype !== null && method in prototype && typeof (prototype as Record<string, unknown>)[method] === 'function';
}
