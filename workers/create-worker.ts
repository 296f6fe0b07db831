import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { AddressGuard } from '../shared/addresses/address-guard.js';
import { ForbiddenLog } from '../shared/addresses/forbidden-log.js';
import type { Config } from '../shared/config/config.js';
import { defaultBulkheadRules } from '../shared/domain/flow/bulkhead-rules.js';
import { defaultBrokersOf, spelledNow } from '../shared/domain/flow/flow-key.js';
import { slotShare } from '../shared/domain/flow/slot-share.js';
import { factsOf } from '../shared/domain/flow/worker-facts.js';
import type { Clock, Random } from '../shared/domain/ports.js';
import { SecretPathsOfFleet } from '../shared/queue/flow/secret-paths-of-fleet.js';
import { createSecretBox } from '../shared/domain/secrets/secret-box.js';
import { ActivityCounter } from '../shared/domain/stats/activity-counter.js';
import { FailureCounter } from '../shared/domain/stats/failure-counter.js';
import { defaultStallPolicy } from '../shared/domain/task/outcome.js';
import { AlignedInterval } from '../shared/lifecycle/aligned-timer.js';
import type { ShutdownStep } from '../shared/lifecycle/shutdown.js';
import type { Logger } from '../shared/logging/logger.js';
import { openBulkActions } from '../shared/queue/bulk-actions/open-bulk-actions.js';
import { auditKeys, bulkKeys, slotOfFleet } from '../shared/queue/fleet-keys.js';
import { rightsProbe } from '../shared/queue/rights-probe.js';
import { ActivityWriter } from '../shared/queue/stats/activity-writer.js';
import { FailureWriter } from '../shared/queue/stats/failure-writer.js';
import type { MismatchError } from '../shared/queue/engine/mismatch-error.js';
import { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import type { StandstillTimes } from '../shared/queue/engine/shard-standstill.js';
import { TakeOver } from '../shared/queue/flow/take-over.js';
import { memoryMark } from '../shared/redis/memory-guard.js';
import { RedisAccess } from '../shared/redis/redis-access.js';
import { RedisClock } from '../shared/redis/redis-clock.js';
import { timeCommands } from '../shared/redis/command-times.js';
import { ReplicatedWrites } from '../shared/redis/replicated-writes.js';
import { connectRedis, isCluster } from '../shared/redis/redis-connection.js';
import { placesOf } from '../shared/redis/redis-masters.js';
import { watchRedisPeers } from '../shared/redis/redis-peers.js';
import { untilAnswered } from '../shared/redis/until-answered.js';
import { checkRedisSettings, logConnectionChanges } from '../shared/redis/redis-watch.js';
import { Metrics } from '../shared/telemetry/metrics.js';
import type { Tracing } from '../shared/telemetry/tracing/tracing.js';
import { createTokenCheck } from '../shared/telemetry/metrics-token.js';
import { CredentialWatch } from './credentials/credential-watch.js';
import { closeAdapters, createAdapters } from './adapters/registry.js';
import { BulkRunner } from './bulk-actions/bulk-runner.js';
import { BrakeLog } from './delivery/brake-log.js';
import type { DeliverTaskContext } from './delivery/deliver-task.js';
import { DeliveryWorker } from './delivery/delivery-worker.js';
import { MessageLoad } from './delivery/message-load.js';
import { SendsInFlight } from './delivery/sends-in-flight.js';
import { warnOfLargeFleet } from './fleet-size.js';
import { FlowControl } from './flow-control/flow-control.js';
import { Janitor } from './janitor.js';
import { recordEndOfPause } from './record-end-of-pause.js';
import { TestSendRunner } from './test-sends/test-send-runner.js';
import { WorkerMetrics } from './telemetry/worker-metrics.js';
import { isUnrebindable } from './telemetry/unrebindable-host.js';
import { WorkerPort } from './telemetry/worker-port.js';

/**
 * Messages of this length, in characters, may be sent at once where the number of slots is `auto`. A message of 1 MiB takes
 * some 3 MiB of a worker's memory while it is sent (PERFORMANCE.md).
 */
const MOST_MESSAGE_CHARACTERS = 256 * 1_048_576;
/** How often workers that came or went change the number of slots. They count as gone 5 s after their last report. */
const OFFER_SLOTS_EVERY_MS = 500;
/** A step of a bulk action takes Redis some milliseconds. A shard that has not answered by then is taken to be away, ms. */
const BULK_SHARD_LIMIT_MS = 1_000;

/** The settings that a worker reads; those of the API are not among them. */
export type WorkerConfig = Pick<
  Config,
  'environment' | 'secretKeys' | 'redis' | 'previousRedis' | 'redisHighWater' | 'redisMinReplicas' | 'queuePrefix' | 'shards' | 'kafka' | 'workerConcurrency' | 'deliveryTimeoutMs' | 'destinationPolicy' | 'destinationProxy' | 'secretPathHosts' | 'circuit' | 'dead' | 'stall' | 'release' | 'shutdownTimeoutMs' | 'retention' | 'http' | 'auth' | 'telemetry'
>;

export interface WorkerDeps {
  readonly logger: Logger;
  /** The time of day of this machine. It counts only until Redis has told its own time. */
  readonly clock: Clock;
  readonly random: Random;
  /**
   * A name that is unique in the fleet, such as `host-4711`. Reports, probes and the places of limited destinations
   * contain it.
   */
  readonly workerName: string;
  /** Version of the service, such as `0.1.0`; each report contains it. */
  readonly version: string;
  /** What the image was built from; default: unknown. */
  readonly revision?: string;
  /** Those of this process; the default has none of Node's own. */
  readonly metrics?: Metrics;
  /** undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** A shard stands still, and this process cannot mend it: it has to end with 1. The log says why already. */
  readonly onStandstill?: () => void;
  /** The libraries or the store are not those that this process was made for: it has to end. `start` throws it, too, unless it shows later. */
  readonly onMismatch?: (error: MismatchError) => void;
  /** For tests: the default times are tens of seconds. */
  readonly standstillTimes?: StandstillTimes;
}

/** A whole worker: connections, adapters, flow control, a loop for each shard, the janitor. */
export interface Worker {
  /** Tasks that it has taken, and whose outcome is not yet recorded. */
  readonly inHand: number;
  /** Sends that have not ended. */
  readonly sendsInFlight: number;
  /** How many deliveries it may have in flight now: see WORKER_CONCURRENCY. */
  readonly slots: number;
  /** Connections that the address policy has forbidden. */
  readonly forbiddenAddresses: number;
  /** How often the worker of a shard hung and was built anew. */
  readonly rebuilds: number;
  /**
   * Opens WORKER_HTTP_PORT, before `start`: who probes it must see a worker that waits for Redis. @returns its port; undefined when it is off
   * @throws the system's error, such as EADDRINUSE
   */
  listen(): Promise<number | undefined>;
  /**
   * Resolves when the worker takes tasks, or when it was stopped meanwhile. It waits while Redis is away.
   * @throws RedisRefusedError when Redis does not let us in, and never will; EvictingRedisError in prod, when Redis would delete
   * tasks; EngineMismatchError for libraries that this
   * version was not made for
   */
  start(): Promise<void>;
  /**
   * Takes nothing new, lets the tasks in flight finish for `drainMs`, gives the rest back uncounted and closes all
   * connections. It may be called before `start`, during it, and twice. It resolves when nothing is left running. It has
   * no limit of its own: while Redis is away nothing can be given back.
   * @param drainMs whole milliseconds; default: most of SHUTDOWN_TIMEOUT
   * @throws AggregateError of what failed; everything else has been ended even then
   */
  stop(drainMs?: number): Promise<void>;
  /** The same stop in parts that end within SHUTDOWN_TIMEOUT, for exitOnSignal. */
  readonly stopSteps: readonly ShutdownStep[];
  /**
   * The process ends by a fault, so nothing is given back from now on: what it has in hand counts as stalled, as after a
   * kill. A task that causes the fault each time is told from the others only by its stalls.
   */
  keepInHand(): void;
  /** The steps after `keepInHand`: for a moment, what receivers accept is still recorded, because it would be sent twice. */
  readonly faultSteps: readonly ShutdownStep[];
}

/**
 * Wires a worker. It connects to Redis at once, so it has to be stopped even if it was never started. The process and the
 * tests both get their worker from here.
 */
export function createWorker(config: WorkerConfig, { logger, clock: timeOfDay, random, workerName, version, revision = 'unknown', metrics = new Metrics('worker'), tracing, onStandstill = () => undefined, onMismatch = () => undefined, standstillTimes }: WorkerDeps): Worker {
  const redis = connectRedis(config.redis, 'worker');
  const onWait = (what: string): void => logger.warn('waits for a part of Redis', { what });
  logConnectionChanges(redis, logger, 'worker');
  const access = new RedisAccess(redis, config.redis, logger, rightsProbe(config.queuePrefix, isCluster(redis), config.shards), config.redisMinReplicas);
  const redisClock = new RedisClock(timeOfDay());
  const clock: Clock = () => redisClock.now();
  // It asks through the queue, which needs its mask.
  const secretPaths: SecretPathsOfFleet = new SecretPathsOfFleet({ own: config.secretPathHosts, share: (own) => queue.fleet.flowStore().shareSecretPathHosts(own), onChange: () => {
    credentials.namesHaveChanged();
    flowControl?.namesHaveChanged();
  } });
  const { mask } = secretPaths;
  // For the ends of bulk actions. What becomes of a delivery does not wait: see docs/decisions/0027-replicated-writes.md.
  const replicated = config.redisMinReplicas === 0 ? undefined : new ReplicatedWrites(redis, config.redisMinReplicas);
  const queue = new TaskQueue({ redis, replicated, prefix: config.queuePrefix, shards: config.shards, deadAttempts: config.dead.attempts, mask, clock, onMismatch, onWait });
  const secrets = createSecretBox(config.secretKeys, randomBytes);
  const forbiddenLog = new ForbiddenLog(logger);
  const guard = new AddressGuard({
    policy: config.destinationPolicy,
    // It does not read the store that the service moves away from, and must not send there either.
    isOwnRedis: watchRedisPeers(redis, config.previousRedis?.mode === 'standalone' ? [config.previousRedis.address] : []),
    onForbidden: forbiddenLog.add,
  });
  const credentials = new CredentialWatch({ store: () => queue.fleet.credentialStore(), secrets, mask, logger });
  const adapters = createAdapters(config, { clock, logger, guard, credentials: { watch: credentials, tokens: () => queue.fleet.tokenStore(), secrets, mask } });
  const defaultBrokers = defaultBrokersOf(config.kafka.brokers);
  const testSends = new TestSendRunner({ store: () => queue.fleet.testSendStore(), adapters, secrets, mask, defaultBrokers, workerName, clock, logger });
  const inFlight = new SendsInFlight();
  const activity = new ActivityCounter(['delivered', 'failed', 'deadLettered']);
  const activityWriter = new ActivityWriter({ counter: activity, store: () => queue.fleet.activityStore(), countDue: () => queue.countDue() });
  const failures = new FailureCounter();
  const failureWriter = new FailureWriter({ counter: failures, store: () => queue.fleet.failureStore() });
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
    hasFault: () => hasFault,
    flowControl,
    defaultBrokers,
    mask,
    secrets,
    clock,
    clockDoubtMs: () => redisClock.doubtMs(),
    random,
    logger,
    tracing,
  });

  metrics.setGauge('kafka_retry_build_info', [[{ version, revision, node: process.version }, 1]]);
  const workerMetrics = new WorkerMetrics(metrics);
  const commandTimes = metrics.histogram('kafka_retry_redis_command_duration_seconds', {});
  timeCommands(redis, (ms) => commandTimes.observe(ms / 1_000));
  const isMetricsToken = createTokenCheck(config.telemetry.metricsToken);
  const port = new WorkerPort({
    host: config.http.host,
    port: config.telemetry.workerPort === 'off' ? 0 : config.telemetry.workerPort,
    metrics,
    logger,
    wrongTokensPerSecond: config.auth.wrongKeysPerSecond,
    mayRead: (token) => !config.auth.isOn || (token !== undefined && isMetricsToken(token)),
    isAllowedHost: (host) => config.auth.isOn || isUnrebindable(host, config.http.allowedHosts),
    life: () => (isStopping ? 'stopping' : hasStarted ? 'taking_tasks' : 'starting'),
    pingRedis: () => queue.ping(),
  });

  const deliveryWorkers: DeliveryWorker[] = [];
  const countRebuilds = (): number => deliveryWorkers.reduce((sum, { rebuilds }) => sum + rebuilds, 0);
  const brakeLog = new BrakeLog(logger, () => access.refused(), () => access.connectionFailed());
  const messageLoad = config.workerConcurrency === 'auto' ? new MessageLoad(MOST_MESSAGE_CHARACTERS) : undefined;
  let flowControl: FlowControl | undefined;
  workerMetrics.show({ slots: () => slots(), slotsInUse: () => flowControl?.slotsInUse ?? 0, inFlight: () => flowControl?.inFlightByHost() ?? new Map<string, number>() });
  const slots = (): number => slotShare(config.workerConcurrency, flowControl?.workers ?? 1);
  let janitor: Janitor | undefined;
  let takeOver: TakeOver | undefined;
  let bulkRunner: BulkRunner | undefined;
  let offeringSlots: AlignedInterval | undefined;
  let hasStarted = false;
  let isStopping = false;
  let hasFault = false;
  // It is a function because the compiler takes a variable that was false before a wait for one that is false after it.
  const isToldToStop = (): boolean => isStopping;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  /** Checks after each wait whether it was told to stop: a part that starts later would not be drained any more. */
  async function startParts(): Promise<void> {
    // First: it says why Redis does not let us in, and what opens the shards would only fail.
    await access.admission;
    const shards = await queue.shards();
    await checkRedisSettings(redis, config.environment, logger);
    const ofFleet = { what: `what concerns the whole fleet (limits, pauses, credentials)${placesOf(redis, [slotOfFleet(config.queuePrefix, true)])}`, onWait, isStopped: isToldToStop };
    // Before the first task: what any process hides must not be named openly here.
    await untilAnswered(() => secretPaths.read(), ofFleet);
    secretPaths.start();
    // None may be sent without the credentials of its destination either.
    await untilAnswered(() => credentials.start(), ofFleet);
    if (isToldToStop()) return;
    flowControl = new FlowControl(queue.fleet.flowStore(), {
      rules: {
        ...defaultBulkheadRules,
        get slots() {
          return slots();
        },
      },
      circuit: config.circuit,
      workerName,
      sendLimitMs: config.deliveryTimeoutMs,
      facts: factsOf({ version, defaultBrokers, circuit: config.circuit, dead: config.dead, release: config.release, deliveryTimeoutMs: config.deliveryTimeoutMs, secretPathHosts: config.secretPathHosts }),
      rebuilds: countRebuilds,
      redisClock,
      logger,
      onPauseOver: (name, pause) => void recordEndOfPause(queue, logger, name, pause),
      onAsked: (asked) => {
        if (asked.testSends > 0) void testSends.take();
        bulkRunner?.hear(asked.bulkActions);
      },
      spelled: (name) => spelledNow(name, { defaultBrokers, mask }),
    });
    const control = flowControl;
    await untilAnswered(() => control.start(), ofFleet);
    const context = contextWith(flowControl);
    activityWriter.start();
    failureWriter.start();
    const concurrency = (): number => Math.ceil(slots() / shards.length);
    // All at once: where a node of a Cluster is silent, each takes up to a second to find that out.
    await Promise.all(shards.map(async (shard) => {
      const deliveryWorker = new DeliveryWorker({ shard, redis, workerName, concurrency, messageLoad, lockMs: config.stall.lockMs, stallCheckMs: config.stall.checkMs, context, activity, failures, metrics: workerMetrics, brakeLog, logger, onStandstill, standstillTimes });
      deliveryWorkers.push(deliveryWorker);
      await deliveryWorker.start();
      // Not waited for: a node that is away would hold up the start.
      void warnOfLargeFleet(shard, shards.length, config.workerConcurrency, logger);
    }));
    if (isToldToStop()) return;
    offeringSlots = new AlignedInterval(OFFER_SLOTS_EVERY_MS, () => {
      for (const deliveryWorker of deliveryWorkers) deliveryWorker.offerSlots();
    });
    janitor = new Janitor({ shards, redis, retention: config.retention, mask, clock, logger });
    janitor.start();
    takeOver = new TakeOver({ shards, redis, flowStore: queue.fleet.flowStore(), self: { workerName, lockMs: config.stall.lockMs }, clock, logger, onTaken: (tasks) => workerMetrics.stalled(tasks) });
    takeOver.start();
    const keys = { actions: bulkKeys(config.queuePrefix, isCluster(redis)), audit: auditKeys(config.queuePrefix, isCluster(redis), config.shards) };
    bulkRunner = new BulkRunner({ actions: openBulkActions(shards, keys, BULK_SHARD_LIMIT_MS), flowStore: queue.fleet.flowStore(), circuit: config.circuit, defaultBrokers, deadAttempts: config.dead.attempts, mask, secrets, isRedisAboveMark: memoryMark(redis, config.redisHighWater), onStep: (action, started, through) => workerMetrics.bulkStep(action, started, through), logger });
    bulkRunner.start();
    testSends.start();
    hasStarted = true;
  }

  async function drain(drainMs: number): Promise<void> {
    isStopping = true;
    offeringSlots?.stop();
    await Promise.all([...deliveryWorkers.map((deliveryWorker) => deliveryWorker.drain(drainMs)), janitor?.stop(), takeOver?.stop(), bulkRunner?.stop(), testSends.stop(), credentials.stop(), secretPaths.stop()]);
    flowControl?.close();
    brakeLog.flush();
    forbiddenLog.flush();
    await Promise.all([activityWriter.stop(), failureWriter.stop()]);
  }

  /** Resolves when nothing is in hand, or after `limitMs`: what has caused the fault may never end. */
  async function recordDeliveries(limitMs: number): Promise<void> {
    await Promise.race([Promise.all(deliveryWorkers.map((deliveryWorker) => deliveryWorker.finish())), wait(limitMs)]);
  }

  async function closeRedis(): Promise<void> {
    await port.stop();
    access.close();
    await queue.close();
    replicated?.close();
    redis.disconnect();
  }

  async function stopParts(drainMs: number): Promise<void> {
    const failures: unknown[] = [];
    for (const end of [() => drain(drainMs), () => closeAdapters(adapters), closeRedis]) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    // A start that waited for Redis has failed by now, because its connection is closed.
    await starting?.catch(() => undefined);
    if (failures.length > 0) throw new AggregateError(failures, `stopping ${workerName} failed`);
  }

  /** The last part of SHUTDOWN_TIMEOUT is for giving back the tasks that could not finish, and for closing. */
  const closingMs = Math.min(2_000, config.shutdownTimeoutMs * 0.3);
  const defaultDrainMs = config.shutdownTimeoutMs - closingMs;

  return {
    get inHand() {
      return deliveryWorkers.reduce((sum, { inHand }) => sum + inHand, 0);
    },
    get sendsInFlight() {
      return inFlight.size;
    },
    get slots() {
      return slots();
    },
    get forbiddenAddresses() {
      return forbiddenLog.count;
    },
    get rebuilds() {
      return countRebuilds();
    },
    listen: async () => (config.telemetry.workerPort === 'off' ? undefined : port.start()),
    start: () => {
      if (isStopping) return Promise.resolve();
      starting ??= startParts().catch((error: unknown) => {
        // Stopping closes the connection under a start that waits for Redis.
        if (!isStopping) throw error;
      });
      return starting;
    },
    stop: (drainMs = defaultDrainMs) => (stopping ??= stopParts(drainMs)),
    stopSteps: [
      { name: 'drain', limitMs: defaultDrainMs + closingMs * 0.6, run: () => drain(defaultDrainMs) },
      { name: 'close destinations', limitMs: closingMs * 0.2, run: () => closeAdapters(adapters) },
      { name: 'close redis', limitMs: closingMs * 0.1, run: closeRedis },
    ],
    keepInHand: () => {
      hasFault = true;
      isStopping = true;
      offeringSlots?.stop();
    },
    // It is as short as this because a process after a fault is in an unknown state.
    faultSteps: [{ name: 'record deliveries', limitMs: closingMs + 1_000, run: () => recordDeliveries(closingMs) }],
  };
}
