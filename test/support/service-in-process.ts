import { createServer } from 'node:http';

import { createApp } from '../../server/app.js';
import { listen } from '../../server/http/listen.js';
import type { RedisConfig } from '../../shared/config/load.js';
import type { DeadPolicy } from '../../shared/domain/task/retry-policy.js';
import { defaultCircuitRules, type CircuitRules } from '../../shared/domain/flow/circuit.js';
import { defaultBrokersOf } from '../../shared/domain/flow/flow-key.js';
import { defaultBulkheadRules } from '../../shared/domain/flow/bulkhead-rules.js';
import { defaultReleasePolicy, defaultStallPolicy, unreadableForMs, type ReleasePolicy } from '../../shared/domain/task/outcome.js';
import { createLogger } from '../../shared/logging/logger.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { DeliveryWorker } from '../../workers/delivery/delivery-worker.js';
import { createHttpAdapter } from '../../workers/adapters/http/http-adapter.js';
import { createKafkaAdapter } from '../../workers/adapters/kafka/adapter.js';
import { closeAdapters } from '../../workers/adapters/registry.js';
import { FlowControl } from '../../workers/flow-control/flow-control.js';
import { SendsInFlight } from '../../workers/delivery/sends-in-flight.js';
import { uniquePrefix } from './namespace.js';
import { testRedisAddress, type RedisAddress } from './redis.js';

/** Collects log lines instead of writing them. */
export class CollectedLog {
  text = '';
  write(line: string): void {
    this.text += line;
  }
}

export interface InProcessOptions {
  readonly redis?: RedisAddress;
  readonly shards?: number;
  readonly maxMessageBytes?: number;
  readonly isRedisAboveMark?: () => boolean;
  readonly dead?: DeadPolicy;
  readonly release?: ReleasePolicy;
  /** Of the API; workers have their own. */
  readonly circuit?: Partial<CircuitRules>;
  /** To be one more API of an earlier service. */
  readonly prefix?: string;
}

export interface WorkerOptions {
  readonly concurrency?: number;
  readonly circuit?: Partial<CircuitRules>;
  /** In [0, 1). Default Math.random. */
  readonly random?: () => number;
}

/** Nobody listens there. */
const defaultBrokers = defaultBrokersOf([{ host: '127.0.0.1', port: 9 }]);
const log = new CollectedLog();
const logger = createLogger({ level: 'debug', environment: 'dev' }, log);

/** Queue, API and workers in this process, on a real Redis and a real port. */
export class InProcessService {
  readonly #closing: (() => Promise<void>)[] = [];
  #baseUrl = '';
  #workers = 0;

  private constructor(
    private readonly options: InProcessOptions,
    readonly redis: RedisClient,
    readonly queue: TaskQueue,
    readonly prefix: string,
  ) {}

  /** The API, as the server's main.ts makes it; without waiting for Redis. */
  static async start(options: InProcessOptions = {}): Promise<InProcessService> {
    const prefix = options.prefix ?? uniquePrefix();
    const redis = connect('server', options.redis);
    const queue = new TaskQueue({ redis, prefix, shards: options.shards ?? 1, deadAttempts: 10, clock: Date.now });
    const service = new InProcessService(options, redis, queue, prefix);
    service.#closing.push(async () => {
      await queue.close();
      redis.disconnect();
    });
    const { maxMessageBytes = 1_048_576, isRedisAboveMark = () => false, release = defaultReleasePolicy, circuit = {} } = options;
    const server = createServer(createApp({ queue, isRedisAboveMark, maxMessageBytes, defaultJitter: 'none', unreadableForMs: unreadableForMs(release), circuit: { ...defaultCircuitRules, ...circuit }, defaultBrokers, clock: Date.now, logger }));
    const listening = await listen(server, { host: '127.0.0.1', port: 0 });
    service.#closing.push(() => listening.close(1_000));
    service.#baseUrl = `http://127.0.0.1:${listening.port}`;
    return service;
  }

  /** The same, with Redis answering. */
  static async ready(options: InProcessOptions = {}): Promise<InProcessService> {
    const service = await InProcessService.start(options);
    try {
      await service.queue.ready();
    } catch (error) {
      await service.close();
      throw error;
    }
    return service;
  }

  get baseUrl(): string {
    return this.#baseUrl;
  }

  get log(): string {
    logger.flush();
    return log.text;
  }

  /** A worker for every shard, with the real adapters. It is drained at close(). */
  async startWorker({ concurrency = 50, circuit = {}, random = Math.random }: WorkerOptions = {}): Promise<readonly DeliveryWorker[]> {
    const redis = connect('worker', this.options.redis);
    const queue = new TaskQueue({ redis, prefix: this.prefix, shards: this.options.shards ?? 1, deadAttempts: 10, clock: Date.now });
    const adapters = { http: createHttpAdapter(), kafka: createKafkaAdapter({ defaultBrokers: [...defaultBrokers], tls: false, clock: Date.now }) };
    const workers: DeliveryWorker[] = [];
    const shards = await queue.shards();
    const workerName = `in-process-${(this.#workers += 1)}`;
    const flowControl = new FlowControl(queue.flowStore(), {
      rules: { ...defaultBulkheadRules, slots: concurrency },
      circuit: { ...defaultCircuitRules, ...circuit },
      workerName,
      sendLimitMs: 5_000,
      clock: Date.now,
      logger,
    });
    this.#closing.push(async () => {
      await Promise.all(workers.map((worker) => worker.drain(0)));
      flowControl.close();
      await closeAdapters(adapters);
      await queue.close();
      redis.disconnect();
    });
    await flowControl.start();
    for (const shard of shards) {
      const worker = new DeliveryWorker({
        shard,
        redis,
        workerName,
        concurrency,
        lockMs: 15_000,
        stallCheckMs: 5_000,
        context: {
          adapters,
          rules: { dead: this.options.dead ?? { attempts: 2, baseDelayMs: 10, maxDelayMs: 1_000 }, stall: defaultStallPolicy, release: this.options.release ?? defaultReleasePolicy, longestUncountedMs: defaultCircuitRules.maxOpenMs },
          timeLimitMs: 5_000,
          inFlight: new SendsInFlight(),
          flowControl,
          defaultBrokers,
          clock: Date.now,
          random,
          logger,
        },
        logger,
      });
      workers.push(worker);
      await worker.start();
    }
    return workers;
  }

  /** Last opened, first closed; all of them, and the first failure fails the test. Safe twice. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closing.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'closing failed');
  }
}

export function connect(profile: 'server' | 'worker', { host, port }: RedisAddress = testRedisAddress()): RedisClient {
  const config: RedisConfig = { mode: 'standalone', address: { host, port }, db: 0, username: undefined, password: undefined, tls: false };
  const redis = connectRedis(config, profile);
  // Tests take Redis away on purpose; what follows from it is what they look at.
  redis.on('error', () => undefined);
  return redis;
}
