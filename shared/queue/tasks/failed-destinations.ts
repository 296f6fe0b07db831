import { canonicalName, type DefaultBrokers } from '../../domain/flow/flow-key.js';
import type { Shard } from '../engine/shard.js';
import { unpackSearchFields } from '../search/search-fields.js';

/** Jobs that are looked at in each shard: those that failed last. */
const LOOKED_AT = 500;

/**
 * The keys that the tasks which ended last without a delivery were sent to: dead letters and parked ones. A look at all
 * of them would cost as much as there are.
 * @returns each key once
 */
export async function failedDestinations({ client, keys }: Shard, defaultBrokers: DefaultBrokers): Promise<readonly string[]> {
  const reply: unknown = await client.runCommand('krsFailedDestinations', [keys.failed, keys.base, LOOKED_AT]);
  // The script's own answer: packed search fields.
  const found = new Set<string>();
  for (const packed of reply as string[]) {
    const fields = unpackSearchFields(packed);
    // Their paths are written as in keys already.
    if (fields !== undefined) found.add(fields.flowName ?? fields.flowKey ?? canonicalName(fields.host, defaultBrokers) + fields.path);
  }
  return [...found];
}
