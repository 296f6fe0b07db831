import type { RightsProbe } from '../redis/redis-rights.js';
import { markTags, slotOfFleet } from './fleet-keys.js';
import { queueMetaKey, queueName, queuePrefix, shardCountKey } from './names.js';

/** The keys that a start tries its rights on. */
export function rightsProbe(prefix: string, isCluster: boolean, shards: number): RightsProbe {
  const ofShards = Array.from({ length: isCluster ? shards : 1 }, (_, shard) => `${queuePrefix(prefix, shard, isCluster)}:${queueName(shard)}:rights-probe`);
  const elsewhere = [slotOfFleet(prefix, isCluster), ...(isCluster ? markTags(prefix) : [])].map((slot) => `${slot}:rights-probe`);
  const written = [...ofShards, ...elsewhere];
  // A start looks there whether the tasks are spread as it thinks, in either mode.
  const looked = [shardCountKey(prefix), queueMetaKey(prefix, 0, true)];
  const startingWith = (start: string): readonly string[] => [...looked, ...written].filter((key) => key.startsWith(start));
  const ofCluster = `~{${prefix}-*`;
  return {
    written,
    allowed: new Map([[`~${prefix}:*`, startingWith(`${prefix}:`)], [ofCluster, startingWith(`{${prefix}-`)]]),
    // One Redis has no key there. A start looks for one as long as no number is stored.
    ...(!isCluster && { unneeded: { pattern: ofCluster, onceThereIs: shardCountKey(prefix) } }),
  };
}
