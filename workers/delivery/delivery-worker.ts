import { DelayedError, WaitingError, type Job } from 'bullmq';
import { isInBulkAction, type LogEntry } from '../../shared/domain/task/attempt-record.js';
import { unreadableForMs } from '../../shared/domain/task/outcome.js';
import { ShuttingDown } from '../../shared/domain/ports.js';
import type { ActivityCounter } from '../../shared/domain/stats/activity-counter.js';
import type { FailureCounter } from '../../shared/domain/stats/failure-counter.js';
import type { Logger } from '../../shared/logging/logger.js';
import { decodeLog } from '../../shared/queue/tasks/log-codec.js';
import type { RedisClient } from '../../shared/redis/redis-connection.js';
import { DeliveringWorker } from '../../shared/queue/engine/delivering-worker.js';
import { takePutBack } from '../../shared/queue/engine/put-back-jobs.js';
import { endWait } from '../../shared/queue/engine/delivery-backend.js';
import { backoffStrategy, takeOverRetries } from '../../shared/queue/engine/job-ends.js';
import { WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { ToldEnds } from '../../shared/queue/engine/told-ends.js';
import { standstillTimes, type StandstillTimes } from '../../shared/queue/engine/shard-standstill.js';
import { ShardWatchdog } from '../../shared/queue/engine/shard-watchdog.js';
import { messageLength } from '../../shared/queue/tasks/message-length.js';
import { submittedTraceOf, type StoredOptions } from '../../shared/queue/tasks/task-codec.js';
import { printError } from '../../shared/logging/print-error.js';
import { RedisErrors } from '../../shared/redis/redis-error.js';
import type { BrakeLog } from './brake-log.js';
import { countDelivery } from './count-delivery.js';
import { countFailure } from './count-failure.js';
import { deliverTask, type Delivery, type DeliverTaskContext, type FetchedJob } from './deliver-task.js';
import { FETCH_AHEAD, JobsInHand } from './jobs-in-hand.js';
import type { MessageLoad } from './message-load.js';
import { RedisBrake } from './redis-brake.js';
import { settleOutcome, type SettleContext } from './settle-outcome.js';
import { tellBulkAction } from './tell-bulk-action.js';

/** Stalls are our crashes, not failures of the task. BullMQ must never fail a job for them (outcome.ts decides). */
const UNLIMITED_STALLS = 1_000_000_000;
/** After this time BullMQ repeats a write that lost its connection. With its default of 15 s the lock would lapse. */
const RECORD_AGAIN_AFTER_MS = 1_000;
/** Counts for Prometheus; worker-metrics.ts does it. */
export interface DeliveryMeter {
  /** @param log as it was before the attempt. @param createdAt when the task was submitted, ms since the epoch */
  ended(delivery: Delivery, log: readonly LogEntry[], createdAt: number): void;
  /** @param tasks found in the hands of a worker that had died */
  stalled(tasks: number): void;
}

export interface DeliveryWorkerOptions {
  readonly shard: Shard;
  readonly redis: RedisClient;
  readonly workerName: string;
  /** Deliveries of this shard that may be in flight now, >= 1. It changes while the worker runs. */
  readonly concurrency: () => number;
  /** The messages of all shards that are being sent; undefined: their size is no limit. */
  readonly messageLoad?: MessageLoad | undefined;
  readonly lockMs: number;
  readonly stallCheckMs: number;
  readonly context: DeliverTaskContext;
  readonly activity: ActivityCounter;
  readonly failures: FailureCounter;
  readonly metrics: DeliveryMeter;
  readonly brakeLog: BrakeLog;
  readonly logger: Logger;
  /** The shard stands still, and rebuilding has not helped: the process has to end. */
  readonly onStandstill: () => void;
  readonly standstillTimes?: StandstillTimes | undefined;
}

/** Takes jobs of one shard and has them delivered, until it is drained. A worker of BullMQ's that hangs is built anew. */
export class DeliveryWorker {
  #worker: DeliveringWorker;
  /** Those that were replaced and still have jobs in their hands. */
  readonly #retired = new Set<DeliveringWorker>();
  readonly #watchdog: ShardWatchdog;
  #rebuilds = 0;
  #isDraining = false;
  readonly #waitingLists: WaitingLists;
  readonly #settling: SettleContext;
  readonly #inHand: JobsInHand;
  readonly #brake: RedisBrake;
  /** Shared by those that were built anew: a job is in the hands of one of them. */
  readonly #told = new ToldEnds();

  constructor(private readonly options: DeliveryWorkerOptions) {
    this.#waitingLists = new WaitingLists(options.shard, options.context.defaultBrokers);
    this.#inHand = new JobsInHand({ concurrency: options.concurrency, messageLoad: options.messageLoad });
    this.#worker = this.#build();
    this.#settling = this.#settleContext();
    this.#brake = this.#createBrake();
    this.#watchdog = this.#createWatchdog();
  }

  /** The tasks that it has taken, and whose outcome is not yet recorded. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** How often BullMQ's worker hung and was built anew. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  /**
   * To be called now and then: the number of deliveries that may be in flight has changed, or there is room for messages
   * again. What is in flight goes on; if it is too much, jobs that end are not followed by others.
   */
  offerSlots(): void {
    const { most, slotsToOffer } = this.#inHand;
    const offered = this.#worker.concurrency;
    // More than what is in use are offered bit by bit: see FETCH_AHEAD.
    if (offered > most || this.#inHand.size >= offered) this.#worker.offer(slotsToOffer);
  }

  /** Starts to take jobs. It resolves when Redis has answered. */
  async start(): Promise<void> {
    await this.#worker.start();
    this.options.context.flowControl.watch(this.#waitingLists);
    if (!this.#isDraining) this.#watchdog.start();
  }

  /**
   * Takes nothing new, lets the sends in flight finish for `drainMs`, then aborts the rest and gives it back uncounted.
   * It resolves when all is settled: within 2 s when nothing is in flight, whatever Redis does. While Redis is away what
   * is in flight cannot be given back: then it waits for ever, so the caller sets a limit.
   */
  async drain(drainMs: number): Promise<void> {
    this.#takeNothingNew();
    const { inFlight, flowControl } = this.options.context;
    const timer = setTimeout(() => {
      this.options.logger.warn('drain time is over: giving back what is in flight', { in_flight: inFlight.size });
      flowControl.close();
      inFlight.abortAll(new ShuttingDown());
    }, drainMs);
    try {
      await this.#retireAll();
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Takes nothing new, after a fault of this process. It resolves when nothing is in hand, which may never be: see
   * `leave` in outcome.ts.
   */
  async finish(): Promise<void> {
    this.#takeNothingNew();
    await this.#retireAll();
  }

  #takeNothingNew(): void {
    this.#isDraining = true;
    this.options.context.flowControl.stopWaking();
    this.#watchdog.stop();
    this.#brake.stop();
  }

  async #retireAll(): Promise<void> {
    await Promise.all([this.#worker, ...this.#retired].map((worker) => worker.retire()));
  }

  #build(): DeliveringWorker {
    const { shard, redis, workerName, concurrency, lockMs, stallCheckMs, context } = this.options;
    const worker = new DeliveringWorker(shard.queue.name, (job, token) => this.#process(job, token ?? ''), {
      redis,
      marker: shard.keys.marker,
      clock: context.clock,
      told: this.#told,
      prefix: shard.queue.opts.prefix ?? '',
      name: workerName,
      concurrency: Math.min(concurrency(), FETCH_AHEAD),
      lockDuration: lockMs,
      stalledInterval: stallCheckMs,
      maxStalledCount: UNLIMITED_STALLS,
      runRetryDelay: RECORD_AGAIN_AFTER_MS,
      settings: { backoffStrategy },
    });
    this.#listen(worker);
    return worker;
  }

  /** What the old worker has in hand stays with it: it renews the locks and records the results, and takes nothing new. */
  #rebuild(reason: string): void {
    const { shard, logger } = this.options;
    const old = this.#worker;
    logger.error('a shard stands still: its worker is built anew', { queue: shard.queue.name, reason, in_hand: this.#inHand.size });
    this.#rebuilds += 1;
    this.#retired.add(old);
    old.retire().then(
      () => this.#retired.delete(old),
      (error: unknown) => logger.warn('a worker that was replaced could not be closed', { queue: shard.queue.name, error: printError(error) }),
    );
    this.#worker = this.#build();
    // If it cannot connect, the watchdog sees that too.
    this.#worker.start().catch((error: unknown) => this.#brake.failed(error));
  }

  /** One function, and awaited only where there is something to wait for: each promise more shows in the delivery rate. */
  async #process(job: Job, token: string): Promise<unknown> {
    this.#took(job);
    // Within its limit it is only raised: a job that ends fetches the next one itself, in the call that records its end.
    this.#worker.concurrency = Math.min(this.#inHand.most, Math.max(this.#worker.concurrency, this.#inHand.size + FETCH_AHEAD));
    try {
      takeOverRetries(job);
      const log = decodeLog(job.stacktrace);
      const fetched = fetchedJobOf(job, log);
      const delivery = await deliverTask(fetched, this.options.context);
      this.#count(delivery, log, fetched.createdAt);
      // Nearly no run was started by a bulk action: then nothing is waited for here.
      if (isInBulkAction(log)) await tellBulkAction(fetched, delivery, this.options.shard, this.#told);
      const settled = settleOutcome(job, token, log, delivery, this.#settling);
      return settled instanceof Promise ? await settled : settled;
    } catch (error) {
      // These errors say that the job has been put back already. All others are still to be recorded.
      if (error instanceof DelayedError || error instanceof WaitingError) this.#through(job.id ?? '');
      throw error;
    }
  }

  #took(job: Job): void {
    const id = job.id ?? '';
    this.#told.forget(id);
    this.#inHand.took(id, () => messageLength(job.data));
  }

  #through(jobId: string): void {
    this.#told.forget(jobId);
    this.#inHand.through(jobId);
  }

  #count(delivery: Delivery, log: readonly LogEntry[], createdAt: number): void {
    const { activity, failures, metrics, context } = this.options;
    countDelivery(delivery, activity);
    countFailure(delivery, failures, context);
    metrics.ended(delivery, log, createdAt);
  }

  #settleContext(): SettleContext {
    const { context, workerName, redis, shard } = this.options;
    const current = (): DeliveringWorker => this.#worker;
    return {
      get worker() {
        return current();
      },
      workerName,
      clock: context.clock,
      clockDoubtMs: context.clockDoubtMs,
      defer: async ({ flow, named = flow }, reason, deferral) => {
        if (flow === undefined || named === undefined) throw new TypeError('a task is deferred for no destination');
        await context.flowControl.defer(this.#waitingLists, { flow, named }, reason, deferral);
      },
      markUnreadable: async (jobId, at) => {
        await redis.zadd(shard.keys.unreadable, at, jobId);
        await redis.zremrangebyscore(shard.keys.unreadable, '-inf', at - unreadableForMs(context.rules.release));
      },
    };
  }

  #listen(worker: DeliveringWorker): void {
    const { logger, metrics } = this.options;
    worker.on('stalled', (jobId) => {
      metrics.stalled(1);
      logger.warn('a worker died with a task: it goes back, no attempt used', { job_id: jobId });
    });
    worker.onThrough = (jobId) => this.#through(jobId);
    worker.on('completed', ({ id = '' }) => this.#through(id));
    worker.on('failed', (job) => this.#through(job?.id ?? ''));
    worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) this.#through(id);
      logger.warn('lost the lock of tasks being sent: their outcome here will not count', { job_ids: jobIds.join(' ') });
    });
    worker.on('error', (error) => this.#brake.failed(error));
    worker.on('drained', () => {
      worker.concurrency = this.#inHand.slotsToOffer;
    });
    worker.on('active', () => this.#brake.worked());
  }

  #createBrake(): RedisBrake {
    const { shard, redis, brakeLog: log } = this.options;
    return new RedisBrake({
      queue: shard.queue.name,
      errors: new RedisErrors(),
      // It does not wait for the jobs in flight: that may last as long as Redis refuses to record them.
      pause: () => void this.#worker.pause(true),
      resume: () => void this.#worker.resume(),
      tryWrite: () => endWait(redis, shard.keys.marker),
      isConnected: () => redis.status === 'ready',
      isWaitConnected: () => this.#worker.isWaitConnected,
      log,
    });
  }

  #createWatchdog(): ShardWatchdog {
    const { shard, context, logger, onStandstill, standstillTimes: times = standstillTimes } = this.options;
    return new ShardWatchdog({
      shard,
      times,
      worker: () => this.#worker,
      state: () => ({ isBraking: this.#brake.isBraking, refusedAt: this.#brake.refusedAt, hasFreeSlot: this.#inHand.hasFreeSlot }),
      clock: context.clock,
      rebuild: (reason) => this.#rebuild(reason),
      giveUp: (reason) => {
        logger.error('a shard stands still, and building its worker anew has not helped: this process ends', { queue: shard.queue.name, reason });
        onStandstill();
      },
    });
  }
}

function fetchedJobOf(job: Job, log: readonly LogEntry[]): FetchedJob {
  // This count of ours stands beside BullMQ's: see submission.ts.
  const stored = job.opts as Partial<StoredOptions>;
  const id = job.id ?? '';
  return { id, data: job.data, log, firstRun: stored.run ?? 1, createdAt: job.timestamp, stalls: job.stalledCounter, hasWaited: takePutBack(id), trace: submittedTraceOf(stored) };
}
