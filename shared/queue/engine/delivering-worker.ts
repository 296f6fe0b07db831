import { isNotConnectionError, type Job, type JobJson, type Processor, type RedisQueueBackend, type Worker, type WorkerOptions } from 'bullmq';
import type { Clock } from '../../domain/ports.js';
import type { RedisClient } from '../../redis/redis-connection.js';
import { deliveryBackend } from './delivery-backend.js';
import { LeanWorker } from './lean-worker.js';
import { renewLocksByFetch, type EndRenewal } from './lock-renewal.js';
import { PendingCalls } from './pending-calls.js';
import { UNREADABLE_DATA } from './readable-job.js';
import { isRefusedForNow } from './repeat-refused.js';
import { ToldEnds } from './told-ends.js';
import { LONGEST_WAIT_MS } from './wake-when-due.js';

/**
 * How long a stop waits for the answer to a fetch, and for jobs that were fetched and not begun. Redis may be away, or the
 * loop may hang. Another worker takes such a job over when its lock has lapsed.
 */
const LAST_FETCH_MS = 1_000;
/** After it is closed, BullMQ's loop ends within milliseconds, unless it hangs. */
const LOOP_ENDS_WITHIN_MS = 300;

export interface DeliveringWorkerOptions extends Omit<WorkerOptions, 'connection' | 'autorun'> {
  /** How long a job belongs to the worker without a renewal, ms. */
  readonly lockDuration: number;
  readonly redis: RedisClient;
  /** Key of the set on which idle workers wait. */
  readonly marker: string;
  /** By which jobs are due. The clocks of workers differ, and are set now and then: see RedisClock. */
  readonly clock: Clock;
  /** Ends that bulk actions are told. The default is that there are none. */
  readonly told?: ToldEnds;
}

/**
 * A Worker that tells when BullMQ has finished with a job, that shows what its loop waits for, and whose stop never
 * waits for that loop.
 *
 * BullMQ has no event for a job whose end cannot be recorded any more, for example when its lock has lapsed and another
 * worker has it. Such a job would count as in hand until the process ends.
 */
export class DeliveringWorker extends LeanWorker {
  /** Set it right after construction. BullMQ calls it when it has finished with the job, whatever the result. */
  onThrough: (jobId: string) => void = () => undefined;
  readonly calls: PendingCalls;
  readonly #clock: Clock;
  readonly #endRenewal: EndRenewal;
  /** Jobs that were taken from Redis since the beginning. */
  #taken = 0;
  #begun = 0;
  #ended = 0;
  #onChange: () => void = () => undefined;
  #retiring: Promise<void> | undefined;
  /** Of the connection on which it waits for the next job. undefined: it has not come about yet. */
  #waitClient: { readonly status: string } | undefined;

  constructor(name: string, processor: Processor, { redis, marker, clock, told = new ToldEnds(), ...options }: DeliveringWorkerOptions) {
    const calls = new PendingCalls();
    const create = deliveryBackend(redis, marker, calls, clock, told, { lockMs: options.lockDuration, onRefused: (error) => this.emit('error', error as Error) });
    let backend: RedisQueueBackend | undefined;
    super(name, processor, { ...options, connection: redis, autorun: false }, (...args) => (backend = create(...args)));
    this.#endRenewal = renewLocksByFetch(this.lockManager);
    this.calls = calls;
    const learn = (client: { readonly status: string } | undefined): void => {
      this.#waitClient = client;
    };
    backend?.blockingClient?.then(learn, () => undefined); // it is tried again, and told by `error`
    this.#clock = clock;
    calls.onFetched = () => this.#onChange();
    this.on('active', () => {
      this.#taken += 1;
    });
  }

  /** Whether it can be told of the next job. Those that are due it fetches on another connection. */
  get isWaitConnected(): boolean {
    return this.#waitClient?.status === 'ready';
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Sets how many jobs it may have in hand, also from outside its loop. With fewer than it has, jobs that end are not
   * followed by the next one; none is given back.
   */
  offer(jobs: number): void {
    const isRaised = jobs > this.concurrency;
    this.concurrency = jobs;
    if (isRaised) wakeLoop(this);
  }

  /** Starts its loop. It resolves when Redis has answered. */
  async start(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.once('closed', () => resolve());
    });
    // A connection that is closed while it connects may tell nothing.
    await this.calls.track('connect', 0, async () => { await Promise.race([this.waitUntilReady(), closed]); });
    // A pause that was over while it connected has begun its loop, and BullMQ throws at the second begin.
    if (!this.calls.mayFetch || this.isRunning()) return;
    // Without this, an error of its loop would be an unhandled rejection. A worker that takes no tasks has to end.
    void this.run();
  }

  /** @param blockUntil when the next job is due, by our clock; 0 when there is none. BullMQ subtracts Date.now from it. @returns seconds */
  protected override getBlockTimeout(blockUntil: number): number {
    return Math.min(super.getBlockTimeout(blockUntil === 0 ? 0 : blockUntil - this.#clock() + Date.now()), LONGEST_WAIT_MS / 1_000);
  }

  /** BullMQ throws when the data is no JSON, and then no worker has the job: see readable-job.ts. */
  protected override createJob(job: JobJson, jobId: string): Job {
    try {
      return super.createJob(job, jobId);
    } catch {
      return super.createJob({ ...job, data: UNREADABLE_DATA }, jobId);
    }
  }

  override processJob(...args: Parameters<LeanWorker['processJob']>): ReturnType<LeanWorker['processJob']> {
    this.#begun += 1;
    // The answer to its last fetch has come too late: the outcome could not be recorded any more.
    return isClosing(this) ? this.#giveBack(args[0], args[1]) : super.processJob(...args);
  }

  /** Gives a job back uncounted. If Redis is away, its lock lapses. */
  async #giveBack(job: Job, token: string): Promise<void> {
    await job.moveToWait(token).catch(() => undefined);
    this.ended(job, token);
  }

  protected override ended(job: Job, token: string): void {
    this.#endRenewal(job.id ?? '', token);
    this.#ended += 1;
    // A closing worker gives up when Redis is away. A job whose end it could not record is still in hand.
    if (!isClosing(this)) this.onThrough(job.id ?? '');
    this.#onChange();
  }

  protected override ending(job: Job, token: string): void {
    this.#endRenewal(job.id ?? '', token);
  }

  /** BullMQ would write down that the job has failed. What arrived must not be put back for that: its lock lapses. */
  protected override isLeftFor(error: unknown): boolean {
    // BullMQ repeats it by itself when its connection is lost.
    if (!isRefusedForNow(error) || !isNotConnectionError(error as Error)) return false;
    this.emit('error', error as Error);
    return true;
  }

  protected override async handleFailed(...args: Parameters<Worker['handleFailed']>): ReturnType<Worker['handleFailed']> {
    const [, job, token] = args;
    this.#endRenewal(job.id ?? '', token);
    const kept = [...(job.stacktrace ?? [])];
    try {
      return await super.handleFailed(...args);
    } catch (error) {
      // BullMQ has added the record to it, and adds it once more when it repeats the call.
      job.stacktrace = kept;
      throw error;
    }
  }

  /**
   * Takes nothing new, lets the jobs in hand end, and closes. BullMQ's own close waits for its loop and for its
   * connections, without a limit. So it is called only when nothing is in hand, with `force`.
   * It resolves within 1.5 s when no job is being processed, whatever Redis does; else when the last one is recorded. It
   * may be called twice.
   */
  retire(): Promise<void> {
    return (this.#retiring ??= this.#retire());
  }

  async #retire(): Promise<void> {
    this.calls.stopFetching();
    // Jobs that end from now on do not bring the next one.
    await this.pause(true);
    await this.#handsAreEmpty();
    await this.close(true);
    await within(LOOP_ENDS_WITHIN_MS, this.mainLoopRunning);
  }

  #handsAreEmpty(): Promise<void> {
    return new Promise((resolve) => {
      let isLate = false;
      const look = (): void => {
        const isProcessing = this.#begun > this.#ended;
        const isFetching = this.calls.isFetching || this.#taken > this.#begun;
        if (isProcessing || (isFetching && !isLate)) return;
        clearTimeout(timer);
        this.#onChange = () => undefined;
        resolve();
      };
      const timer = setTimeout(() => {
        isLate = true;
        look();
      }, LAST_FETCH_MS);
      this.#onChange = look;
      look();
    });
  }
}

/**
 * Lets the loop of a worker look at its concurrency again. While all its slots are in use it waits for the end of a job,
 * and the sends of a slow destination may take a minute. BullMQ does the same when a worker is resumed.
 */
function wakeLoop(worker: Worker): void {
  // BullMQ's types hide the property; check-engine.ts looks for its uses.
  const { mainLoopQueue } = worker as unknown as { readonly mainLoopQueue: { add(promise: Promise<unknown>): void } | null };
  mainLoopQueue?.add(Promise.resolve());
}

/** Whether its close has been called. BullMQ keeps the promise of close in this property. */
function isClosing(worker: Worker): boolean {
  return worker.closing !== undefined;
}

async function within(limitMs: number, work: Promise<unknown> | null): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work?.catch(() => undefined), limit]);
  clearTimeout(timer);
}
