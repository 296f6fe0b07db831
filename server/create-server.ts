import { randomBytes } from 'node:crypto';
import { AddressGuard } from '../shared/addresses/address-guard.js';
import { ForbiddenLog } from '../shared/addresses/forbidden-log.js';
import type { Config } from '../shared/config/config.js';
import { RequestError } from '../shared/domain/errors.js';
import { defaultBrokersOf } from '../shared/domain/flow/flow-key.js';
import type { Clock } from '../shared/domain/ports.js';
import type { RefusalReason } from '../shared/domain/refusals/refusal-reason.js';
import { SecretPathsOfFleet } from '../shared/queue/flow/secret-paths-of-fleet.js';
import { createSecretBox } from '../shared/domain/secrets/secret-box.js';
import { ActivityCounter } from '../shared/domain/stats/activity-counter.js';
import type { ShutdownStep } from '../shared/lifecycle/shutdown.js';
import type { Logger } from '../shared/logging/logger.js';
import { BulkActionsOfQueue } from '../shared/queue/bulk-actions/open-bulk-actions.js';
import { TakeOver } from '../shared/queue/flow/take-over.js';
import { shardOf } from '../shared/queue/names.js';
import { auditKeys, bulkKeys } from '../shared/queue/fleet-keys.js';
import { rightsProbe } from '../shared/queue/rights-probe.js';
import { ActivityWriter } from '../shared/queue/stats/activity-writer.js';
import { TaskSearch } from '../shared/queue/scan/task-search.js';
import { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import type { TaskQueueOptions } from '../shared/queue/tasks/task-queue-options.js';
import { TwoStoresQueue } from '../shared/queue/tasks/two-stores-queue.js';
import { MemoryGuard } from '../shared/redis/memory-guard.js';
import { askTimeWhenReady } from '../shared/redis/ask-time-when-ready.js';
import { RedisAccess } from '../shared/redis/redis-access.js';
import { RedisClock } from '../shared/redis/redis-clock.js';
import { connectRedis, isCluster, type RedisClient } from '../shared/redis/redis-connection.js';
import { RefusalLog } from '../shared/redis/refusal-log.js';
import { watchRedisPeers } from '../shared/redis/redis-peers.js';
import { ReplicatedWrites } from '../shared/redis/replicated-writes.js';
import { warnOfMissingReplicas } from '../shared/redis/missing-replicas.js';
import { timeCommands } from '../shared/redis/command-times.js';
import { checkRedisSettings, logConnectionChanges } from '../shared/redis/redis-watch.js';
import { readReplicas } from '../shared/redis/replica-count.js';
import { Metrics } from '../shared/telemetry/metrics.js';
import type { Tracing } from '../shared/telemetry/tracing/tracing.js';
import { createTokenCheck } from '../shared/telemetry/metrics-token.js';
import { createAccessCheck } from './access/access-check.js';
import { KeyJudge } from './access/key-judge.js';
import { ClientQuotas } from './access/client-quotas.js';
import { KeyRing } from './access/key-ring.js';
import { NoKeyError } from './access/no-key-error.js';
import { Sessions } from './access/sessions.js';
import { RateLimiter } from './access/rate-limiter.js';
import { withRateLimit } from './access/with-rate-limit.js';
import { createPreviousStore } from './create-previous-store.js';
import { FleetSettings } from './flow/fleet-settings.js';
import { HiddenNames } from './flow/hidden-names.js';
import { LastFlow } from './flow/last-flow.js';
import { BodyBudget } from './http/body-budget.js';
import { maxBodyBytes } from './http/json-body.js';
import { LargeAnswers } from './http/large-answers.js';
import { listen, type ListeningServer } from './http/listen.js';
import { createOriginCheck } from './http/origin-check.js';
import { RefusedRequestsLog } from './http/refused-requests-log.js';
import { createRequestPipeline, type PipelineStages } from './http/request-pipeline.js';
import { WorkTurns } from './http/work-turns.js';
import { createBoardServer } from './ops/bull-board.js';
import { pageInPlaceOf } from './ops/login-page.js';
import { routeTable } from './route-table.js';
import { LastStats } from './stats/last-stats.js';
import { StatusReader } from './stats/status-reader.js';
import { ApiMetrics } from './telemetry/api-metrics.js';
import { FleetGauges } from './telemetry/fleet-gauges.js';
import { traceRequests } from './telemetry/request-spans.js';
import { createTaskParser } from './tasks/schema.js';
import { withAddressPolicy } from './tasks/destination-check.js';
import { withSecretsCheck } from './tasks/secrets-check.js';
import { createSubmitTask } from './tasks/submit-task.js';

/**
 * Requests are still read for at least so long after the end was asked for, ms: without it, a busy client whose request was sent and not
 * yet read had its connection reset.
 */
const STILL_READ_MS = 250;

/** The settings that the API reads; those of the workers are not among them. */
export type ServerConfig = Pick<
  Config,
  'environment' | 'http' | 'auth' | 'callerLimits' | 'secretKeys' | 'redis' | 'previousRedis' | 'redisHighWater' | 'redisMinReplicas' | 'queuePrefix' | 'shards' | 'kafka' | 'circuit' | 'maxMessageBytes' | 'batch' | 'destinationPolicy' | 'secretPathHosts' | 'retryJitter' | 'dead' | 'release' | 'deliveryTimeoutMs' | 'shutdownTimeoutMs' | 'shutdownDelayMs' | 'telemetry'
>;

export interface ServerDeps {
  readonly logger: Logger;
  /** The time of day of this machine. It counts only until Redis has told its own time. */
  readonly clock: Clock;
  /** Version of the service, such as `0.1.0`; it is compared with that of the workers. */
  readonly version: string;
  /** Called when Redis does not let us in, and never will: RedisRefusedError; when it has answered and must not be used: EvictingRedisError in prod, MismatchError in both; or that it has no access key where one is needed: NoKeyError in prod. */
  readonly onUnfitRedis: (error: unknown) => void;
  /** They come in place of the API's own stages. */
  readonly stages?: PipelineStages;
  /** The default is a connection that is made from `config.redis`. Either one is closed at the end. */
  readonly redis?: RedisClient;
  /** The default is what `config.redisHighWater` says. */
  readonly isRedisAboveMark?: () => boolean;
  /** What the image was built from; default: unknown. */
  readonly revision?: string;
  /** Those of this process; the default has none of Node's own. */
  readonly metrics?: Metrics;
  /** The default is what `config.http.maxBodyMemory` says, or what the largest body needs. */
  readonly bodyBudget?: BodyBudget;
  /** How long requests are still read when it is stopped, ms. The default is that of `listen`. */
  readonly stillReadMs?: number;
  /** undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/** A whole API: its connections, its routes and its port. */
export interface Server {
  /** How many requests are being answered, or wait for their turn. */
  readonly requestsInFlight: number;
  /** Callers that were refused for their access, their addresses or a limit since the start. Each reason is there from the start. */
  readonly refusals: ReadonlyMap<RefusalReason, number>;
  /**
   * Resolves when it listens. It does not wait for Redis: without one it answers 503.
   * @throws the system's error, such as EADDRINUSE; Error when it was stopped: its Redis is closed, and nothing would end it
   */
  start(): Promise<{ readonly port: number }>;
  /**
   * Answers what is under way, then closes the port, the queue and Redis. It may be called before `start`, and twice. It
   * resolves when nothing is left running.
   * @param graceMs time for what is under way; the default is most of SHUTDOWN_TIMEOUT
   * @throws AggregateError of what failed; everything else has been closed even then
   */
  stop(graceMs?: number): Promise<void>;
  /** The same stop in parts that end within SHUTDOWN_TIMEOUT, for exitOnSignal. */
  readonly stopSteps: readonly ShutdownStep[];
}

/**
 * Wires an API. It connects to Redis at once, so it has to be stopped even if it was never started. The process and the
 * tests both get their API from here.
 */
export function createServer(config: ServerConfig, { logger, clock: timeOfDay, version, onUnfitRedis, stages, redis = connectRedis(config.redis, 'server'), ...deps }: ServerDeps): Server {
  logConnectionChanges(redis, logger, 'server');
  const access = new RedisAccess(redis, config.redis, logger, rightsProbe(config.queuePrefix, isCluster(redis), config.shards), config.redisMinReplicas);
  access.admission.catch(onUnfitRedis);
  redis.once('ready', () => void checkRedisSettings(redis, config.environment, logger).catch(onUnfitRedis));
  const redisClock = new RedisClock(timeOfDay());
  askTimeWhenReady(redis, redisClock);
  const clock: Clock = () => redisClock.now();
  // It asks through the queue, which needs its mask.
  const secretPaths: SecretPathsOfFleet = new SecretPathsOfFleet({ own: config.secretPathHosts, share: (own) => queue.fleet.withFlow((store) => store.shareSecretPathHosts(own)), onChange: () => hiddenNames.moveSoon() });
  const { mask } = secretPaths;
  const secrets = createSecretBox(config.secretKeys, randomBytes);
  const replicated = config.redisMinReplicas === 0 ? undefined : new ReplicatedWrites(redis, config.redisMinReplicas);
  if (replicated !== undefined) redis.once('ready', () => void warnOfMissingReplicas(redis, config.redisMinReplicas, logger));
  const ofTasks = { prefix: config.queuePrefix, deadAttempts: config.dead.attempts, mask, secrets, clock };
  const previous = config.previousRedis === undefined ? undefined : createPreviousStore(config.previousRedis, { logger, ofTasks, onUnfitRedis });
  const ofQueue: TaskQueueOptions = { ...ofTasks, redis, shards: config.shards, replicated, access, refusals: new RefusalLog(logger, () => access.refused()), onMismatch: onUnfitRedis, onWait: (what) => logger.warn('waits for a part of Redis', { what }), watchesShards: true };
  const queue = previous === undefined ? new TaskQueue(ofQueue) : new TwoStoresQueue(ofQueue, previous.queue);
  // The board and searches read large pages. On the connection of the tasks they would make tasks wait, or fail.
  const boardRedis = connectRedis(config.redis, 'server');
  // Its owner is the board, which answers 503. An outage of Redis is logged for the connection of the tasks, but this one may be kept out alone.
  boardRedis.on('error', () => access.connectionFailed());
  const boardQueue = new TaskQueue({ redis: boardRedis, prefix: config.queuePrefix, shards: config.shards, deadAttempts: config.dead.attempts, mask, clock, health: queue.health, access });
  const memoryGuard = new MemoryGuard(redis, config.redisHighWater);
  const largestBody = maxBodyBytes(config.maxMessageBytes);
  const { isRedisAboveMark = () => memoryGuard.isAboveMark, bodyBudget = BodyBudget.for(Math.max(largestBody, config.batch.maxBytes), config.http.maxBodyMemory) } = deps;
  const { circuit, dead, release, deliveryTimeoutMs, secretPathHosts } = config;
  const own = { version, defaultBrokers: defaultBrokersOf(config.kafka.brokers), circuit, dead, release, deliveryTimeoutMs, secretPathHosts };
  const fleetSettings = new FleetSettings({ fleet: queue.fleet, own, logger });
  const hiddenNames = new HiddenNames({ fleet: queue.fleet, fleetSettings, mask, secrets, logger });
  const lastFlow = new LastFlow(queue.fleet, (reports) => void fleetSettings.learn(reports));
  const lastStats = new LastStats(queue);
  const statusReader = new StatusReader({
    queue,
    fleetSettings,
    access,
    shards: config.shards,
    memory: {
      get isAboveMark() {
        return isRedisAboveMark();
      },
      get usedRatio() {
        return memoryGuard.usedRatio;
      },
    },
  });
  const forbiddenLog = new ForbiddenLog(logger);
  const ownRedis = [redis, ...(previous === undefined ? [] : [previous.redis])].map((each) => watchRedisPeers(each));
  const addressGuard = new AddressGuard({
    policy: config.destinationPolicy,
    isOwnRedis: (address, port) => ownRedis.some((isOwn) => isOwn(address, port)),
    onForbidden: forbiddenLog.add,
  });
  // The answer to GET /tasks/:id has the message of the task, and its log of at most some 100 KB.
  const largeAnswers = new LargeAnswers(largestBody, config.http.maxAnswerMemory);
  const turns = new WorkTurns();
  const refusedRequests = new RefusedRequestsLog(logger);
  const { metrics = new Metrics('api'), revision = 'unknown' } = deps;
  metrics.setGauge('kafka_retry_build_info', [[{ version, revision, node: process.version }, 1]]);
  const apiMetrics = new ApiMetrics(metrics, routeTable.map(({ metricLabel }) => metricLabel));
  apiMetrics.showRefusals(refusedRequests.counts);
  metrics.onScrape(new FleetGauges({ metrics, queue, fleetSettings, usedRatio: () => memoryGuard.usedRatio, countReplicas: () => readReplicas(redis) }).read);
  const commandTimes = metrics.histogram('kafka_retry_redis_command_duration_seconds', {});
  timeCommands(redis, (ms) => commandTimes.observe(ms / 1_000));
  const activity = new ActivityCounter(['created']);
  const activityWriter = new ActivityWriter({ counter: activity, store: () => queue.fleet.activityStore(), countDue: () => queue.countDue(), redisClock });
  const { isOn: isAuthOn, bootstrapKey, sessionTimes } = config.auth;
  const rateLimiter = new RateLimiter(queue.fleet);
  const quotas = new ClientQuotas(queue);
  const keyRing = new KeyRing({
    fleet: queue.fleet,
    bootstrapKey,
    clock,
    onChange: quotas.learn,
    onSessionVersion: (sessionVersion) => sessions.heard(sessionVersion),
    onUntold: () => logger.warn('a changed access key may be taken as it was by a process that does not reach the master of the keys: less than half of the marks on the Cluster could be told'),
    onFirstRead: (count) => {
      if (!isAuthOn || bootstrapKey !== undefined || count > 0) return;
      const nobodyMayCall = new NoKeyError();
      if (config.environment === 'prod') onUnfitRedis(nobodyMayCall);
      else logger.warn(nobodyMayCall.message, { event: 'no_access_key' });
    },
  });
  const sessions = new Sessions({
    fleet: queue.fleet,
    ring: keyRing,
    limits: sessionTimes,
    onUntold: () => logger.warn('a session that has ended may be taken as open by a process that does not reach the master of the sessions: less than half of the marks on the Cluster could be told'),
  });
  const signIn = { keys: new KeyJudge(keyRing, config.auth.wrongKeysPerSecond), sessions };
  const accessCheck = createAccessCheck(signIn.keys, signIn.sessions, createTokenCheck(config.telemetry.metricsToken));
  const parseTask = withAddressPolicy(createTaskParser({ maxMessageBytes: config.maxMessageBytes, defaultJitter: config.retryJitter }), addressGuard, own.defaultBrokers);
  // In dev secrets are stored as they are, so that the first steps need no key.
  const mayStoreSecrets = secrets.hasKeys || config.environment !== 'prod';
  const checkRoom = (): void => {
    if (isRedisAboveMark()) throw new RequestError('redis_full', 'redis has used up its memory for new tasks', undefined, { notes: { limit: 'REDIS_HIGH_WATER' } });
  };
  const pipeline = createRequestPipeline(
    routeTable,
    {
      queue,
      parseTask: mayStoreSecrets ? parseTask : withSecretsCheck(parseTask),
      checkRoom,
      submitTask: createSubmitTask(
        queue,
        quotas,
        checkRoom,
        ({ destination }) => {
          activity.count('created');
          apiMetrics.created(destination.type);
        },
      ),
      maxBodyBytes: largestBody,
      batch: config.batch,
      shardOf: (taskId) => shardOf(taskId, config.shards),
      bodyBudget,
      turns,
      secrets,
      mayStoreSecrets,
      testSendLimitMs: deliveryTimeoutMs,
      callerLimits: config.callerLimits,
      addressGuard,
      largeAnswers,
      fleetSettings,
      lastFlow,
      lastStats,
      statusReader,
      bulkActions: new BulkActionsOfQueue(queue, { actions: bulkKeys(config.queuePrefix, isCluster(redis)), audit: auditKeys(config.queuePrefix, isCluster(redis), config.shards) }),
      metrics,
      isStopping: () => isToldToStop,
      areKeysKnown: () => !isAuthOn || keyRing.wasRead,
      mask,
      keyRing,
      hasBootstrapKey: bootstrapKey !== undefined,
      signIn: isAuthOn ? signIn : undefined,
      search: new TaskSearch(boardQueue),
      board: createBoardServer(boardQueue, { fleetSettings, mask, clock }),
      clock,
      logger,
      noteRefusal: refusedRequests.request,
      rateLimiter,
    },
    { maxHeaderLines: config.http.maxHeaderLines, checkOrigin: createOriginCheck(config.http.allowedHosts), ...(isAuthOn ? { checkAccess: withRateLimit(accessCheck, rateLimiter), recheckAccess: accessCheck } : {}), pageInPlaceOf, onRefused: refusedRequests.request, onAnswered: apiMetrics.answered, trace: deps.tracing === undefined ? undefined : traceRequests(deps.tracing), ...stages },
  );

  let isToldToStop = false;
  let takeOver: TakeOver | undefined;
  let listening: Promise<ListeningServer> | undefined;
  let started: ListeningServer | undefined;
  let stopping: Promise<void> | undefined;

  async function answerWhatIsUnderWay(graceMs: number): Promise<void> {
    isToldToStop = true;
    // A start that failed has nothing to close.
    const server = await listening?.catch(() => undefined);
    await server?.close(graceMs);
  }

  /** Resolves when Redis has answered. */
  async function startToTakeOver(): Promise<void> {
    const shards = await queue.shards();
    if (stopping !== undefined) return;
    // What it asked before Redis had answered was refused, and without the keys the API is not ready.
    if (isAuthOn) keyRing.start();
    takeOver = new TakeOver({ shards, redis, flowStore: queue.fleet.flowStore(), self: undefined, clock, logger, onTaken: (tasks) => apiMetrics.stalled(tasks) });
    takeOver.start();
  }

  async function closeQueues(): Promise<void> {
    hiddenNames.stop();
    await Promise.all([activityWriter.stop(), takeOver?.stop(), secretPaths.stop(), lastStats.stop()]);
    await Promise.all([queue.close(), boardQueue.close()]);
  }

  async function closeRedis(): Promise<void> {
    lastFlow.stop();
    keyRing.stop();
    rateLimiter.stop();
    quotas.stop();
    memoryGuard.close();
    access.close();
    refusedRequests.flush();
    forbiddenLog.flush();
    replicated?.close();
    redis.disconnect();
    boardRedis.disconnect();
    previous?.close();
  }

  async function stopParts(graceMs: number): Promise<void> {
    const failures: unknown[] = [];
    for (const end of [() => answerWhatIsUnderWay(graceMs), closeQueues, closeRedis]) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'stopping the API failed');
  }

  async function startToListen(): Promise<ListeningServer> {
    started = await listen(pipeline, { ...config.http, logger, turns, bodyBudget, largeAnswers, stillReadMs: deps.stillReadMs ?? Math.max(STILL_READ_MS, config.shutdownDelayMs), onRefused: refusedRequests.bytes });
    return started;
  }

  const { shutdownTimeoutMs, shutdownDelayMs } = config;
  return {
    get requestsInFlight() {
      return started?.requestsInFlight ?? 0;
    },
    get refusals() {
      return refusedRequests.reasons;
    },
    start: async () => {
      if (stopping !== undefined) throw new Error('this API was stopped');
      lastFlow.start();
      lastStats.start();
      // A setting that has changed since the last start hides names that are stored openly.
      void secretPaths.firstRead.then(() => hiddenNames.moveSoon());
      secretPaths.start();
      activityWriter.start();
      // A Redis that must not be used is told to `onUnfitRedis`.
      startToTakeOver().catch(() => undefined);
      if (isAuthOn) keyRing.start();
      return (listening ??= startToListen());
    },
    stop: (graceMs = shutdownTimeoutMs * 0.7) => (stopping ??= stopParts(graceMs)),
    stopSteps: [
      { name: 'answer what is under way', limitMs: shutdownDelayMs + shutdownTimeoutMs * 0.8, run: () => answerWhatIsUnderWay(shutdownTimeoutMs * 0.7) },
      { name: 'close the queue', limitMs: shutdownTimeoutMs * 0.1, run: closeQueues },
      { name: 'close redis', limitMs: shutdownTimeoutMs * 0.1, run: closeRedis },
    ],
  };
}
