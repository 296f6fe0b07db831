import type { IRedisTransaction, RedisQueueBackend } from 'bullmq';
import type { Task } from '../domain/task.js';
import { wholeMs } from '../domain/retry-policy.js';
import { jobIdOf } from './names.js';
import { ADMIT } from './scripts.js';
import type { Shard } from './shard.js';
import { contentHash, encodeTask, jobNameOf, jobPriorityOf, type StoredOptions } from './task-codec.js';

/** What became of a submission. */
export type Admission =
  /** A new run. `dueAt`: milliseconds since the epoch. */
  | { readonly kind: 'created'; readonly run: number; readonly dueAt: number }
  /** A live task has the id, with the same content: nothing changed. */
  | { readonly kind: 'already_scheduled' }
  | { readonly kind: 'other_content' }
  | { readonly kind: 'parked' };

const ENVELOPE_BYTES = 1_024;

/** What BullMQ's type of a job asks for and its add does not look at: Redis sets it. */
const newJob = { progress: 0, attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0, failedReason: '', returnvalue: '' } as const;

/**
 * One task on its way into its queue. Goes through a MULTI once or, where it replaces a finished record, twice: the
 * first tells the run number and the time it finished, the second replaces exactly that record.
 */
export class Submission {
  readonly #job: { readonly id: string; readonly name: string; readonly data: string; readonly attempts: number; readonly priority: number; readonly delayMs: number };
  readonly #sha: string;
  /** What it weighs on the way to Redis, roughly: the message, and as much as the rest of a usual task. */
  readonly bytes: number;
  #seenFinishedAt = '';
  #run = 1;
  #dueAt = 0;
  /** Of the jobs queued since Redis last answered, newest last. */
  #timestamps: string[] = [];

  constructor(
    private readonly shard: Shard,
    private readonly task: Task,
    deadAttempts: number,
  ) {
    this.#sha = contentHash(task);
    // Counted once: the batcher asks for it each time it looks for the next group.
    this.bytes = Buffer.byteLength(task.messageData) + ENVELOPE_BYTES;
    this.#job = {
      id: jobIdOf(task.id),
      name: jobNameOf(task),
      data: JSON.stringify(encodeTask(task)),
      // For people who look at the board; what is done is decided in outcome.ts, not by this number.
      attempts: task.retryPolicy.maxRetries + 1 + deadAttempts,
      priority: jobPriorityOf(task),
      delayMs: wholeMs(task.retryPolicy.initialDelayMs),
    };
  }

  /** This one's part of our check `krsAdmit`. */
  get admitKey(): string {
    return this.shard.keys.job(this.task.id);
  }

  get admitArguments(): readonly [jobId: string, sha: string, seenFinishedAt: string] {
    return [this.#job.id, this.#sha, this.#seenFinishedAt];
  }

  /** Queues BullMQ's add, which does nothing where the id is taken. Belongs behind our check in the same MULTI. */
  queueAdd(multi: IRedisTransaction, backend: RedisQueueBackend): void {
    const { id, name, data, attempts, priority, delayMs } = this.#job;
    const stored: StoredOptions = this.#run === 1 ? { sha: this.#sha } : { sha: this.#sha, run: this.#run };
    // BullMQ keeps options it does not know; its type has no room for them.
    const opts = { attempts, ...(priority === 0 ? {} : { priority }), ...(delayMs === 0 ? {} : { delay: delayMs }), ...stored };
    const timestamp = Date.now();
    this.#dueAt = timestamp + delayMs;
    this.#timestamps.push(String(timestamp));
    // What Job.addJob hands on, without a Job: making one costs more than the rest of a submission. In a MULTI this
    // only queues; what Redis says stands among the replies.
    void backend.addJobToTransaction(multi, { ...newJob, id, name, data, opts, timestamp }, id);
  }

  get taskId(): string {
    return this.task.id;
  }

  /**
   * @param isFirstOfItsId no submission before it in the same MULTI had its id
   * @returns the answer, or undefined when the commands have to be queued once more
   */
  readReplies(admitReply: unknown, isFirstOfItsId: boolean): Admission | undefined {
    // The script's own answer: see scripts.ts.
    const [code, time = '', run = 0] = admitReply as [number, string?, number?];
    const unanswered = this.#timestamps.slice(0, -1);
    this.#timestamps = [];
    switch (code) {
      case ADMIT.absent:
      case ADMIT.replaced:
        return { kind: 'created', run: this.#run, dueAt: this.#dueAt };
      case ADMIT.sameContent:
        // A MULTI that met NOSCRIPT runs once more: our check was lost the first time, and BullMQ's add may not have
        // been. The job that is there may be ours; of several with one id the first was its maker.
        if (isFirstOfItsId && unanswered.includes(time)) return { kind: 'created', run: this.#run, dueAt: Number(time) + this.#job.delayMs };
        return { kind: 'already_scheduled' };
      case ADMIT.parked:
        return { kind: 'parked' };
      case ADMIT.finished:
        this.#seenFinishedAt = time;
        this.#run = run + 1;
        return undefined;
      default:
        return { kind: 'other_content' };
    }
  }
}
