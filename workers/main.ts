import { hostname } from 'node:os';
import { EXIT_CONFIG, loadConfigOrExit } from '../shared/config/load.js';
import { defaultBulkheadRules } from '../shared/domain/flow/bulkhead-rules.js';
import { defaultBrokersOf } from '../shared/domain/flow/flow-key.js';
import { defaultStallPolicy } from '../shared/domain/task/outcome.js';
import { exitOnSignal } from '../shared/lifecycle/shutdown.js';
import { createLogger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import { connectRedis } from '../shared/redis/redis-connection.js';
import { checkRedisSettings, EvictingRedisError, logConnectionChanges } from '../shared/redis/redis-watch.js';
import { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import type { DeliverTaskContext } from './delivery/deliver-task.js';
import { DeliveryWorker } from './delivery/delivery-worker.js';
import { createHttpAdapter } from './adapters/http/http-adapter.js';
import { createKafkaAdapter } from './adapters/kafka/adapter.js';
import { closeAdapters, type AdapterRegistry } from './adapters/registry.js';
import { FlowControl } from './flow-control/flow-control.js';
import { warnOfLargeFleet } from './fleet-size.js';
import { Janitor } from './janitor.js';
import { SendsInFlight } from './delivery/sends-in-flight.js';

const config = loadConfigOrExit();
const logger = createLogger({ level: config.logLevel, environment: config.environment });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning);

const workerName = `${hostname()}-${process.pid}`;
const redis = connectRedis(config.redis, 'worker');
logConnectionChanges(redis, logger);
const queue = new TaskQueue({ redis, prefix: config.queuePrefix, shards: config.shards, deadAttempts: config.dead.attempts, clock: Date.now });
const adapters: AdapterRegistry = {
  http: createHttpAdapter(),
  kafka: createKafkaAdapter({
    defaultBrokers: config.kafka.brokers.map(({ host, port }) => `${host}:${port}`),
    tls: config.kafka.tls,
    clock: Date.now,
    log: ({ level, message, fields }) => logger.debug(`kafkajs: ${message}`, { level, fields: JSON.stringify(fields) }),
    ...(config.kafka.credentials === undefined ? {} : { credentials: config.kafka.credentials }),
  }),
};
const inFlight = new SendsInFlight();
const contextWith = (flowControl: FlowControl): DeliverTaskContext => ({
  adapters,
  rules: {
    dead: config.dead,
    stall: { ...defaultStallPolicy, baseDelayMs: config.stall.baseDelayMs, maxDelayMs: config.stall.maxDelayMs },
    release: config.release,
    longestUncountedMs: config.circuit.maxOpenMs,
  },
  timeLimitMs: config.deliveryTimeoutMs,
  inFlight,
  flowControl,
  defaultBrokers: defaultBrokersOf(config.kafka.brokers),
  clock: Date.now,
  random: Math.random,
  logger,
});

const workers: DeliveryWorker[] = [];
let janitor: Janitor | undefined;
let flowControl: FlowControl | undefined;

/** The last part of SHUTDOWN_TIMEOUT belongs to giving back what could not finish, and to closing. */
const closingMs = Math.min(2_000, config.shutdownTimeoutMs * 0.3);
const drainMs = config.shutdownTimeoutMs - closingMs;

const lifecycle = exitOnSignal(
  [
    {
      name: 'drain',
      limitMs: drainMs + closingMs * 0.6,
      run: async () => {
        await Promise.all([...workers.map((worker) => worker.drain(drainMs)), janitor?.stop()]);
        flowControl?.close();
      },
    },
    { name: 'close destinations', limitMs: closingMs * 0.2, run: () => closeAdapters(adapters) },
    {
      name: 'close redis',
      limitMs: closingMs * 0.1,
      run: async () => {
        await queue.close();
        redis.disconnect();
      },
    },
  ],
  logger,
  () => ({ tasks_left: workers.reduce((sum, { inHand }) => sum + inHand, 0) }),
);

const shards = await queue.shards();
try {
  await checkRedisSettings(redis, config.environment, logger);
} catch (error) {
  logger.error(error instanceof EvictingRedisError ? error.message : printError(error));
  logger.flush();
  process.exit(EXIT_CONFIG);
}
flowControl = new FlowControl(queue.flowStore(), {
  rules: { ...defaultBulkheadRules, slots: config.workerConcurrency },
  circuit: config.circuit,
  workerName,
  sendLimitMs: config.deliveryTimeoutMs,
  clock: Date.now,
  logger,
});
await flowControl.start();
const context = contextWith(flowControl);
const concurrency = Math.ceil(config.workerConcurrency / shards.length);
for (const shard of shards) {
  // What starts now would not be drained any more.
  if (lifecycle.isStopping) break;
  const worker = new DeliveryWorker({
    shard,
    redis,
    workerName,
    concurrency,
    lockMs: config.stall.lockMs,
    stallCheckMs: config.stall.checkMs,
    context,
    logger,
  });
  workers.push(worker);
  await worker.start();
  await warnOfLargeFleet(shard, concurrency, logger);
}
if (!lifecycle.isStopping) {
  janitor = new Janitor({ shards, redis, retention: config.retention, clock: Date.now, logger });
  janitor.start();
}
logger.info('worker is up', { worker: workerName, concurrency: config.workerConcurrency, pid: process.pid });
