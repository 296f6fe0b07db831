import type { Shard } from './shard.js';

/** The name of the connection on which BullMQ's worker of a shard waits for jobs: `bull:ZGVsaXZlci0w:w:host-4711`. */
export function connectionNameIn({ queue }: Shard, workerName: string): string {
  return queue.getBackend().clientName(`:w:${workerName}`);
}
