import { createServer } from 'node:http';
import { EXIT_CONFIG, loadConfigOrExit } from '../shared/config/load.js';
import { defaultBrokersOf } from '../shared/domain/flow/flow-key.js';
import { unreadableForMs } from '../shared/domain/task/outcome.js';
import { exitOnSignal } from '../shared/lifecycle/shutdown.js';
import { createLogger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import { MemoryGuard } from '../shared/redis/memory-guard.js';
import { connectRedis } from '../shared/redis/redis-connection.js';
import { checkRedisSettings, EvictingRedisError, logConnectionChanges } from '../shared/redis/redis-watch.js';
import { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import { createApp } from './app.js';
import { listen, type ListeningServer } from './http/listen.js';

const config = loadConfigOrExit();
const logger = createLogger({ level: config.logLevel, environment: config.environment });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning);

const redis = connectRedis(config.redis, 'server');
logConnectionChanges(redis, logger);
const queue = new TaskQueue({ redis, prefix: config.queuePrefix, shards: config.shards, deadAttempts: config.dead.attempts, clock: Date.now });
const memoryGuard = new MemoryGuard(redis, config.redisHighWater);
const app = createApp({
  queue,
  isRedisAboveMark: () => memoryGuard.isAboveMark,
  maxMessageBytes: config.maxMessageBytes,
  defaultJitter: config.retryJitter,
  unreadableForMs: unreadableForMs(config.release),
  circuit: config.circuit,
  defaultBrokers: defaultBrokersOf(config.kafka.brokers),
  clock: Date.now,
  logger,
});
const server = createServer(app);
let listening: ListeningServer | undefined;

redis.once('ready', () => {
  checkRedisSettings(redis, config.environment, logger).catch((error: unknown) => {
    logger.error(error instanceof EvictingRedisError ? error.message : printError(error));
    logger.flush();
    process.exit(EXIT_CONFIG);
  });
});

exitOnSignal(
  [
    {
      name: 'answer what is under way',
      limitMs: config.shutdownTimeoutMs * 0.8,
      run: async () => listening?.close(config.shutdownTimeoutMs * 0.7),
    },
    { name: 'close the queue', limitMs: config.shutdownTimeoutMs * 0.1, run: () => queue.close() },
    {
      name: 'close redis',
      limitMs: config.shutdownTimeoutMs * 0.1,
      run: async () => {
        memoryGuard.close();
        redis.disconnect();
      },
    },
  ],
  logger,
);

try {
  listening = await listen(server, config.http);
  logger.info('the API is up', { url: `http://${config.http.host}:${listening.port}`, pid: process.pid });
} catch (error) {
  logger.error(
    error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      ? `port ${config.http.port} on ${config.http.host} is taken by another process: stop it, or choose another port with HTTP_PORT`
      : `cannot listen on ${config.http.host}:${config.http.port} (HTTP_HOST, HTTP_PORT): ${printError(error)}`,
  );
  logger.flush();
  process.exit(EXIT_CONFIG);
}
