import { randomBytes } from 'node:crypto';
import { EXIT_CONFIG, loadConfigOrExit } from '../../shared/config/load.js';
import type { RedisConfig } from '../../shared/config/config.js';
import { createSecretBox } from '../../shared/domain/secrets/secret-box.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { rightsProbe } from '../../shared/queue/rights-probe.js';
import { RedisAccess, RedisRefusedError } from '../../shared/redis/redis-access.js';
import { connectRedis, isCluster, type RedisClient } from '../../shared/redis/redis-connection.js';
import { PREVIOUS_SHARDS } from '../create-previous-store.js';
import { printReport, reencryptAll } from './reencrypt.js';

// npm run secrets:reencrypt, with the settings of the API. It ends with 1 while an old key is still needed.
const config = loadConfigOrExit();
const secrets = createSecretBox(config.secretKeys, randomBytes);
if (!secrets.hasKeys) {
  process.stderr.write('SECRETS_KEYS is not set: there is nothing to encrypt with\n');
  process.exit(EXIT_CONFIG);
}
// As long as the service moves from one Redis to another, the same keys are in use in both.
const stores = [
  { name: '', ...openRedis(config.redis, 'redis', config.shards), shards: config.shards },
  ...(config.previousRedis === undefined ? [] : [{ name: 'old Redis', ...openRedis(config.previousRedis, 'old Redis', PREVIOUS_SHARDS), shards: PREVIOUS_SHARDS }]),
].map(({ name, redis, access, shards }) => [name, { redis, access, shards, prefix: config.queuePrefix, secrets, queue: new TaskQueue({ redis, prefix: config.queuePrefix, shards, deadAttempts: config.dead.attempts, clock: Date.now }) }] as const);
try {
  for (const [name, { access, queue }] of stores) {
    await access.admission.catch((error: unknown) => exitRefused(name, error));
    await queue.ready();
  }
  const reports = await reencryptAll(stores);
  const oldKeyIds = config.secretKeys.slice(1).map(({ id }) => id);
  process.stdout.write(`${printReport(reports, oldKeyIds)}\n`);
  process.exitCode = oldKeyIds.some((id) => reports.some(({ left }) => (left[id] ?? 0) > 0)) ? 1 : 0;
} finally {
  for (const [, { queue, redis, access }] of stores) {
    await queue.close();
    access.close();
    redis.disconnect();
  }
}

function openRedis(of: RedisConfig, name: string, shards: number): { readonly redis: RedisClient; readonly access: RedisAccess } {
  const redis = connectRedis(of, 'worker');
  redis.on('error', (error: unknown) => process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`));
  const error = (message: string, fields?: object): void => void process.stderr.write(`${name}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  return { redis, access: new RedisAccess(redis, of, { error, info: () => undefined }, rightsProbe(config.queuePrefix, isCluster(redis), shards)) };
}

/** It would never be let in. */
function exitRefused(name: string, error: unknown): never {
  if (!(error instanceof RedisRefusedError)) throw error;
  process.stderr.write(`${name === '' ? '' : `${name}: `}${error.message}\n`);
  process.exit(EXIT_CONFIG);
}
