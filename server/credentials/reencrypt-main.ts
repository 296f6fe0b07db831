import { randomBytes } from 'node:crypto';
import { EXIT_CONFIG, loadConfigOrExit, type RedisConfig } from '../../shared/config/load.js';
import { createSecretBox } from '../../shared/domain/secrets/secret-box.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
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
  { name: '', redis: openRedis(config.redis, 'redis'), shards: config.shards },
  ...(config.previousRedis === undefined ? [] : [{ name: 'old Redis', redis: openRedis(config.previousRedis, 'old Redis'), shards: PREVIOUS_SHARDS }]),
].map(({ name, redis, shards }) => [name, { redis, shards, prefix: config.queuePrefix, secrets, queue: new TaskQueue({ redis, prefix: config.queuePrefix, shards, deadAttempts: config.dead.attempts, clock: Date.now }) }] as const);
try {
  for (const [, { queue }] of stores) await queue.ready();
  const reports = await reencryptAll(stores);
  const oldKeyIds = config.secretKeys.slice(1).map(({ id }) => id);
  process.stdout.write(`${printReport(reports, oldKeyIds)}\n`);
  process.exitCode = oldKeyIds.some((id) => reports.some(({ left }) => (left[id] ?? 0) > 0)) ? 1 : 0;
} finally {
  for (const [, { queue, redis }] of stores) {
    await queue.close();
    redis.disconnect();
  }
}

function openRedis(of: RedisConfig, name: string): RedisClient {
  const redis = connectRedis(of, 'worker');
  redis.on('error', (error: unknown) => process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`));
  return redis;
}
