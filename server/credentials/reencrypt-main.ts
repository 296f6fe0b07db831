import { randomBytes } from 'node:crypto';
import { EXIT_CONFIG, loadConfigOrExit } from '../../shared/config/load.js';
import { createSecretBox } from '../../shared/domain/secrets/secret-box.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { connectRedis } from '../../shared/redis/redis-connection.js';
import { printReport, reencrypt } from './reencrypt.js';

// npm run secrets:reencrypt, with the settings of the API. It ends with 1 while an old key is still needed.
const config = loadConfigOrExit();
const secrets = createSecretBox(config.secretKeys, randomBytes);
if (!secrets.hasKeys) {
  process.stderr.write('SECRETS_KEYS is not set: there is nothing to encrypt with\n');
  process.exit(EXIT_CONFIG);
}
const redis = connectRedis(config.redis, 'worker');
redis.on('error', (error: unknown) => process.stderr.write(`redis: ${error instanceof Error ? error.message : String(error)}\n`));
const queue = new TaskQueue({ redis, prefix: config.queuePrefix, shards: config.shards, deadAttempts: config.dead.attempts, clock: Date.now });
try {
  await queue.ready();
  const reports = await reencrypt({ queue, redis, prefix: config.queuePrefix, shards: config.shards, secrets });
  const oldKeyIds = config.secretKeys.slice(1).map(({ id }) => id);
  process.stdout.write(`${printReport(reports, oldKeyIds)}\n`);
  process.exitCode = oldKeyIds.some((id) => reports.some(({ left }) => (left[id] ?? 0) > 0)) ? 1 : 0;
} finally {
  await queue.close();
  redis.disconnect();
}
