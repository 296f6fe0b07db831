import type { PathMask } from '../../domain/destinations/path-mask.js';
import type { Task, TaskState } from '../../domain/task/task.js';
import type { SubmittedTrace } from '../../domain/trace-context.js';
import { wholeMs } from '../../domain/task/retry-policy.js';
import { jobIdOf } from '../names.js';
import { ADMIT, ONLY_OF } from '../engine/admit-function.js';
import type { Shard } from '../engine/shard.js';
import type { AddOptions, SubmittedJob } from '../engine/submit-script.js';
import { packSearchFields, searchFieldsOf } from '../search/search-fields.js';
import { jobNameOf, jobPriorityOf, type StoredOptions, type TaskContent } from './task-codec.js';

/** The result of a submission. */
export type Admission =
  /** A new run was stored. `dueAt`: by Redis' clock, milliseconds since the epoch. */
  | { readonly kind: 'created'; readonly run: number; readonly dueAt: number }
  /** A live task has the id, with the same content. Nothing changed. */
  | { readonly kind: 'already_scheduled' }
  /** The task has ended, and the same content was submitted with the same Idempotency-Key before. Nothing changed. */
  | { readonly kind: 'repeated'; readonly state: TaskState; readonly run: number }
  | { readonly kind: 'other_content' }
  /** The task has ended, and other content was submitted with this Idempotency-Key before. */
  | { readonly kind: 'other_content_of_key' }
  | { readonly kind: 'parked' }
  /** A task of another client has the id, and the caller is bound to its own clients. Nothing changed, and nothing is told of that task. */
  | { readonly kind: 'foreign' }
  /** It would have been a new run, and its client may have no further task. Nothing changed. */
  | { readonly kind: 'no_room' };

/** What a caller may do with a submission. */
export interface SubmissionRules {
  /** It may use tasks of its own clients alone, also where another one has ended. */
  readonly isBound?: boolean;
  /** Its client has as many tasks as it may have: only a repetition is accepted. */
  readonly isFull?: boolean;
  /** Stored with a new run. A repetition in another trace is the same task. */
  readonly trace?: SubmittedTrace | undefined;
}

const ENVELOPE_BYTES = 1_024;
/** BullMQ's add wants a time. The script puts that of Redis in its place: see addFunction. */
const SET_BY_REDIS = 0;

/**
 * One task on its way into its queue. It goes through krsSubmit once, or twice if it replaces a finished record: the
 * first call tells the run number and the time it finished, the second replaces exactly that record.
 */
export class Submission {
  readonly #job: { readonly id: string; readonly name: string; readonly data: string; readonly attempts: number; readonly priority: number; readonly delayMs: number };
  readonly #sha: string;
  /** See SubmittedJob. */
  readonly #content: string;
  /** It is '' when the task has none. */
  readonly #searchFields: string;
  /** Its approximate size on the way to Redis: the message plus the rest of a usual task. */
  readonly bytes: number;
  #seenFinishedAt = '';
  #run = 1;

  constructor(
    private readonly shard: Shard,
    private readonly task: Task,
    deadAttempts: number,
    mask: PathMask,
    content: TaskContent,
    idempotencyKey = '',
    private readonly rules: SubmissionRules = {},
  ) {
    this.#sha = content.sha;
    this.#content = content.sha + idempotencyKey + (rules.isBound === true ? ONLY_OF + task.clientId : '');
    // It is counted once, because the batcher asks for it each time it looks for the next group.
    const messageBytes = Buffer.byteLength(task.messageData);
    this.bytes = messageBytes + ENVELOPE_BYTES;
    this.#searchFields = packSearchFields(searchFieldsOf(task, messageBytes, mask)) ?? '';
    this.#job = {
      id: jobIdOf(task.id),
      name: jobNameOf(task, mask),
      data: content.data,
      // This is for people who look at the board. outcome.ts decides, and does not use this number.
      attempts: task.retryPolicy.maxRetries + 1 + deadAttempts,
      priority: jobPriorityOf(task),
      delayMs: wholeMs(task.retryPolicy.initialDelayMs),
    };
  }

  /** Its arguments for krsSubmit. */
  toJob(): SubmittedJob {
    const { id, name, data, attempts, priority, delayMs } = this.#job;
    const sha = this.#sha;
    // BullMQ keeps options that it does not know. Its type does not allow them.
    const opts: AddOptions & StoredOptions = { attempts, sha, priority };
    if (delayMs !== 0) opts.delay = delayMs;
    if (this.#run !== 1) opts.run = this.#run;
    if (this.rules.trace !== undefined) addTrace(opts, this.rules.trace);
    // No Job of BullMQ's is made: its constructor would cost more than the rest of a submission.
    return { key: this.shard.keys.job(this.task.id), id, content: this.#content, seenFinishedAt: this.#seenFinishedAt, searchFields: this.#searchFields, isNothingNew: this.rules.isFull === true, add: this.shard.submitScript.encode({ id, name, data, opts, timestamp: SET_BY_REDIS }) };
  }

  /**
   * @param answer  of krsSubmit for this job: see admit-function.ts
   * @param addedAt by Redis' clock, milliseconds since the epoch
   * @returns the result, or undefined when the task has to be submitted once more
   */
  readAnswer(answer: unknown, addedAt: number): Admission | undefined {
    // The script's own answer.
    const [code, told = '', run = 0] = answer as [number, string?, number?];
    switch (code) {
      case ADMIT.absent:
      case ADMIT.replaced:
        return { kind: 'created', run: this.#run, dueAt: addedAt + this.#job.delayMs };
      case ADMIT.sameContent:
        return { kind: 'already_scheduled' };
      case ADMIT.parked:
        return { kind: 'parked' };
      case ADMIT.foreign:
        return { kind: 'foreign' };
      case ADMIT.repeated:
        // The script names one of the finished states.
        return { kind: 'repeated', state: told as TaskState, run };
      case ADMIT.otherContentOfKey:
        return { kind: 'other_content_of_key' };
      case ADMIT.noRoom:
        return { kind: 'no_room' };
      case ADMIT.finished:
        if (this.rules.isFull === true) return { kind: 'no_room' };
        this.#seenFinishedAt = told;
        this.#run = run + 1;
        return undefined;
      default:
        return { kind: 'other_content' };
    }
  }
}

function addTrace(options: StoredOptions, { context, span }: SubmittedTrace): void {
  if (context !== undefined) {
    options.traceparent = context.traceparent;
    if (context.tracestate !== undefined) options.tracestate = context.tracestate;
  }
  if (span !== undefined) options.span = span;
}
