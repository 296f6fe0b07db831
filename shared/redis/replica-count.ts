import { isCluster, type RedisClient } from './redis-connection.js';

/** A replica says each second how far it is. One that has been silent for longer is frozen or cut off, as `min-replicas-max-lag` has it, s. */
const MOST_LAG_S = 10;

/** Asks each master for its replicas. @returns how many are in step with the master that has fewest. @throws when one does not answer */
export async function readReplicas(redis: RedisClient): Promise<number> {
  const nodes = isCluster(redis) ? redis.nodes('master') : [redis];
  const answers = await Promise.all(nodes.map((node) => node.info('replication')));
  return Math.min(...answers.map(replicasInStep));
}

/** @param info an answer to INFO replication, such as `slave0:ip=10.0.0.7,port=6379,state=online,offset=700,lag=0` */
export function replicasInStep(info: string): number {
  const replicas = [...info.matchAll(/^slave\d+:(.*)$/gm)].map(([, fields = '']) => new Map(fields.trim().split(',').map((field) => field.split('=', 2) as [string, string])));
  return replicas.filter((fields) => fields.get('state') === 'online' && Number(fields.get('lag')) <= MOST_LAG_S).length;
}
