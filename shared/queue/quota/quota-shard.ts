import type { Shard } from '../engine/shard.js';
import { canHaveQuota } from '../engine/quota-lua.js';
import { RECOUNT_LISTS, RECOUNT_SORTED_SETS } from './quota-scripts.js';

/**
 * Says which clients have a quota, so that their tasks are counted in this shard.
 * @param version of the access keys that name them; what is older than what was said last is passed over
 */
export async function setQuotaClients({ client, keys }: Shard, version: string, clientIds: readonly string[]): Promise<void> {
  await client.runCommand('krsQuotaClients', [keys.quota, keys.quotaRecount, version, ...clientIds.filter(canHaveQuota)]);
}

/** How many tasks of a client this shard has; undefined: it does not know that the client has a quota. */
export async function countOfClient({ client, keys }: Shard, clientId: string): Promise<number | undefined> {
  const reply: unknown = await client.runCommand('krsQuotaRead', [keys.quota, clientId]);
  return reply === null ? undefined : Number(reply);
}

/** One step of counting the tasks of clients with a quota anew. @returns whether there is more to do at once */
export async function recountQuotas({ client, keys }: Shard): Promise<boolean> {
  const places = [...RECOUNT_SORTED_SETS, ...RECOUNT_LISTS].map((place) => keys[place]);
  return (await client.runCommand('krsQuotaRecount', [keys.quota, keys.quotaRecount, ...places, keys.base, RECOUNT_SORTED_SETS.length])) === 1;
}
