import type { HostPort } from '../config/variable-kinds.js';
import { askMasters } from './redis-masters.js';
import type { RedisClient } from './redis-connection.js';

/** A replica says each second how far it is. One that has been silent for longer is frozen or cut off, as `min-replicas-max-lag` has it, s. */
const MOST_LAG_S = 10;
/** A master that has not answered by then is left out, ms. */
const ANSWER_WITHIN_MS = 700;

/**
 * Asks each master for its replicas.
 * @returns how many are in step, by the address of each master that answers
 * @throws when none answers, or INFO is not allowed
 */
export async function replicasOfMasters(redis: RedisClient): Promise<ReadonlyMap<string, number>> {
  const found = await askMasters(redis, ANSWER_WITHIN_MS, async (node) => {
    const { host, port } = node.options;
    return [`${host}:${port}`, replicasInStep(await node.info('replication'))] as const;
  });
  return new Map(found);
}

/** @returns how many are in step with the master that has fewest. @throws as replicasOfMasters */
export async function readReplicas(redis: RedisClient): Promise<number> {
  return Math.min(...(await replicasOfMasters(redis)).values());
}

/** @param info an answer to INFO replication, such as `slave0:ip=10.0.0.7,port=6379,state=online,offset=700,lag=0` */
export function replicasInStep(info: string): number {
  return replicasIn(info).filter((fields) => fields.get('state') === 'online' && Number(fields.get('lag')) <= MOST_LAG_S).length;
}

/** @param info as above. @returns where they are, whatever their state */
export function replicasNamedIn(info: string): readonly HostPort[] {
  return replicasIn(info).flatMap((fields) => {
    const [host = '', port] = [fields.get('ip'), Number(fields.get('port'))];
    return host !== '' && port > 0 ? [{ host, port }] : [];
  });
}

function replicasIn(info: string): readonly ReadonlyMap<string, string>[] {
  return [...info.matchAll(/^slave\d+:(.*)$/gm)].map(([, fields = '']) => new Map(fields.trim().split(',').map((field) => field.split('=', 2) as [string, string])));
}
