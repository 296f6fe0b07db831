import { createServer } from '../../server/create-server.js';
import type { BodyBudget } from '../../server/http/body-budget.js';
import type { PipelineStages } from '../../server/http/request-pipeline.js';
import { loadConfig } from '../../shared/config/load.js';
import type { RedisConfig } from '../../shared/config/config.js';
import { serviceVersion } from '../../shared/config/service-version.js';
import type { DestinationPolicy } from '../../shared/domain/addresses/destination-policy.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { DeadPolicy } from '../../shared/domain/task/retry-policy.js';
import { defaultCircuitRules, type CircuitRules } from '../../shared/domain/flow/circuit.js';
import { defaultReleasePolicy, type ReleasePolicy } from '../../shared/domain/task/outcome.js';
import { createLogger, type Logger } from '../../shared/logging/logger.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import type { StandstillTimes } from '../../shared/queue/engine/shard-standstill.js';
import { RefusalLog } from '../../shared/redis/refusal-log.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { createWorker, type Worker } from '../../workers/create-worker.js';
import { eventually } from './eventually.js';
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
  /** Default: the one all tests share. */
  readonly redis?: RedisAddress | RedisConfig;
  readonly shards?: number;
  readonly maxMessageBytes?: number;
  readonly isRedisAboveMark?: () => boolean;
  readonly bodyBudget?: BodyBudget;
  readonly dead?: DeadPolicy;
  readonly release?: ReleasePolicy;
  /** Settings of the API; workers have their own. */
  readonly circuit?: Partial<CircuitRules>;
  /** The API's KAFKA_BROKERS; workers have their own. */
  readonly kafkaBrokers?: string;
  /** SECRET_PATH_HOSTS of the API and the workers. */
  readonly secretPathHosts?: string;
  /** Of the API; workers have their own. */
  readonly destinationPolicy?: DestinationPolicy;
  /** The API's ALLOWED_HOSTS. */
  readonly allowedHosts?: string;
  /** More variables of the API. */
  readonly settings?: Readonly<Record<string, string>>;
  /** AUTH=on, with this BOOTSTRAP_API_KEY. Default: AUTH=off. */
  readonly bootstrapKey?: string;
  /** METRICS_TOKEN of the API. */
  readonly metricsToken?: string;
  /** SECRETS_KEYS of the API and the workers; workers may have their own. */
  readonly secretsKeys?: string;
  /** ENVIRONMENT of the API. Default dev. */
  readonly environment?: 'dev' | 'prod';
  /** To be one more API of an earlier service. */
  readonly prefix?: string;
  /** Stages of the API's pipeline. */
  readonly stages?: PipelineStages;
  /** A log that no other service writes to: for tests that count lines while other services run. Default: the one all share. */
  readonly log?: CollectedLog;
}

export interface WorkerOptions {
  readonly concurrency?: number | 'auto';
  /** DELIVERY_TIMEOUT. Default 5s. */
  readonly deliveryTimeout?: string;
  readonly circuit?: Partial<CircuitRules>;
  readonly destinationPolicy?: DestinationPolicy;
  /** Default: those of the service. */
  readonly secretsKeys?: string;
  /** The worker's KAFKA_BROKERS. */
  readonly kafkaBrokers?: string;
  /** Default: that of the service. */
  readonly secretPathHosts?: string;
  /** In [0, 1). Default Math.random. */
  readonly random?: () => number;
  readonly standstillTimes?: StandstillTimes;
  readonly metrics?: Metrics;
  readonly onStandstill?: () => void;
  /** More variables of the worker. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Nothing listens there. */
const NO_BROKER = '127.0.0.1:9';
const defaultDead: DeadPolicy = { attempts: 2, baseDelayMs: 10, maxDelayMs: 1_000 };
const sharedLog = new CollectedLog();
const sharedLogger = loggerTo(sharedLog);

/** Queue, API and workers in this process, on a real Redis and a real port. */
export class InProcessService {
  readonly #closing: (() => Promise<void>)[] = [];
  #baseUrl = '';
  #workers = 0;
  #stopApi: () => Promise<void> = () => Promise.resolve();
  #refusals: () => ReadonlyMap<RefusalReason, number> = () => new Map();

  private constructor(
    private readonly options: InProcessOptions,
    readonly redis: RedisClient,
    readonly queue: TaskQueue,
    readonly prefix: string,
    private readonly logger: Logger,
  ) {}

  /** The API, as the server's main.ts makes it; without waiting for Redis. */
  static async start(options: InProcessOptions = {}): Promise<InProcessService> {
    const { prefix = uniquePrefix(), shards = 1, maxMessageBytes = 1_048_576, dead = defaultDead, release = defaultReleasePolicy, circuit = {}, kafkaBrokers = NO_BROKER, secretPathHosts, allowedHosts = '', destinationPolicy, bootstrapKey, metricsToken, secretsKeys, environment, settings = {}, stages, isRedisAboveMark, bodyBudget } = options;
    const redis = connect('server', options.redis);
    const logger = options.log === undefined ? sharedLogger : loggerTo(options.log);
    const queue = new TaskQueue({ redis, prefix, shards, deadAttempts: 10, clock: Date.now, refusals: new RefusalLog(logger) });
    const service = new InProcessService(options, redis, queue, prefix, logger);
    const server = createServer(
      {
        ...loadConfig({ KAFKA_BROKERS: kafkaBrokers, DELIVERY_TIMEOUT: '5s', HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', METRICS_TOKEN: metricsToken, SECRET_PATH_HOSTS: secretPathHosts, ALLOWED_HOSTS: allowedHosts, SECRETS_KEYS: secretsKeys, ...(environment === undefined ? {} : { ENVIRONMENT: environment, AUTH: 'off', DESTINATION_POLICY: 'any' }), ...(bootstrapKey === undefined ? {} : { AUTH: 'on', BOOTSTRAP_API_KEY: bootstrapKey }), ...settings }),
        redis: redisConfig(options.redis),
        queuePrefix: prefix,
        shards,
        maxMessageBytes,
        dead,
        release,
        circuit: { ...defaultCircuitRules, ...circuit },
        ...(destinationPolicy === undefined ? {} : { destinationPolicy }),
      },
      {
        logger,
        clock: Date.now,
        version: serviceVersion(),
        redis,
        // A test has its answers before it closes its API, and 250 ms for each of a thousand tests are minutes.
        stillReadMs: 0,
        onUnfitRedis: (error) => {
          throw error;
        },
        ...(stages === undefined ? {} : { stages }),
        ...(isRedisAboveMark === undefined ? {} : { isRedisAboveMark }),
        ...(bodyBudget === undefined ? {} : { bodyBudget }),
      },
    );
    // Closed in reverse: the server ends the connection that both use.
    service.#stopApi = () => server.stop(1_000);
    service.#refusals = () => server.refusals;
    service.#closing.push(service.#stopApi, () => queue.close());
    const { port } = await server.start();
    service.#baseUrl = `http://127.0.0.1:${port}`;
    return service;
  }

  /** Callers that this API has refused, by reason. */
  get refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#refusals();
  }

  /** The same, with Redis answering. */
  static async ready(options: InProcessOptions = {}): Promise<InProcessService> {
    const service = await InProcessService.start(options);
    try {
      await service.queue.ready();
      // The API has its own queues, which it opens by itself.
      await eventually(async () => {
        const { status } = await fetch(`${service.baseUrl}/readyz`);
        if (status !== 200) throw new Error(`/readyz says ${status}`);
      });
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
    this.logger.flush();
    return (this.options.log ?? sharedLog).text;
  }

  /** A worker as the worker's main.ts makes it. At close() it gives back at once what is in flight. */
  async startWorker({ concurrency = 50, deliveryTimeout = '5s', circuit = {}, random = Math.random, kafkaBrokers = NO_BROKER, destinationPolicy, secretsKeys = this.options.secretsKeys, secretPathHosts = this.options.secretPathHosts, settings = {}, ...watched }: WorkerOptions = {}): Promise<Worker> {
    const { dead = defaultDead, release = defaultReleasePolicy, shards = 1, redis } = this.options;
    const worker = createWorker(
      {
        ...loadConfig({ KAFKA_BROKERS: kafkaBrokers, DELIVERY_TIMEOUT: deliveryTimeout, SECRET_PATH_HOSTS: secretPathHosts, SECRETS_KEYS: secretsKeys, ...settings }),
        redis: redisConfig(redis),
        queuePrefix: this.prefix,
        shards,
        workerConcurrency: concurrency,
        circuit: { ...defaultCircuitRules, ...circuit },
        dead,
        release,
        ...(destinationPolicy === undefined ? {} : { destinationPolicy }),
      },
      { logger: this.logger, clock: Date.now, random, workerName: `in-process-${(this.#workers += 1)}`, version: serviceVersion(), ...watched },
    );
    this.#closing.push(() => worker.stop(0));
    await worker.start();
    return worker;
  }

  /** Ends the API alone, and the connection `redis` with it: workers have their own, and go on. Safe twice. */
  stopApi(): Promise<void> {
    return this.#stopApi();
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

/** In dev, attempts beyond some in a second get no line of their own. The API and the workers of a test write to the same log. */
function loggerTo(log: CollectedLog): Logger {
  return createLogger({ level: 'debug', environment: 'prod', role: 'worker' }, log);
}

export function connect(profile: 'server' | 'worker', at?: RedisAddress | RedisConfig): RedisClient {
  const redis = connectRedis(redisConfig(at), profile);
  // Tests take Redis away on purpose, and look at the consequences.
  redis.on('error', () => undefined);
  return redis;
}

function redisConfig(at: RedisAddress | RedisConfig = testRedisAddress()): RedisConfig {
  return 'mode' in at ? at : { mode: 'standalone', address: at, db: 0, username: undefined, password: undefined, tls: false };
}
