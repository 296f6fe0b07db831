import { UnrecoverableError, type Job } from 'bullmq';

/** Name of our backoff in BullMQ's terms; the delay itself comes with the error. */
const BACKOFF_TYPE = 'decided';
/** Wait when BullMQ fails a job with an error that is not ours: Redis refused the record of a result. */
const UNRECORDED_DELAY_MS = 5_000;
/** BullMQ gives up by this number; whether a task is given up is decided in outcome.ts alone. */
const NEVER_EXHAUSTED = Number.MAX_SAFE_INTEGER;

/** Thrown by a processor: the job comes again after a wait. BullMQ adds the stack of an error to the job's log. */
export class JobComesAgain extends Error {
  override readonly name = 'JobComesAgain';

  /** @param entry of the job's log @param delayMs whole milliseconds, 0 or more */
  constructor(
    message: string,
    entry: string,
    readonly delayMs: number,
  ) {
    super(message);
    this.stack = entry;
  }
}

/** Thrown by a processor: the job ends in the failed set. */
export class JobFails extends UnrecoverableError {
  /** @param entry of the job's log */
  constructor(message: string, entry: string) {
    super(message);
    // BullMQ looks for the name that UnrecoverableError gave itself, so only the stack is ours.
    this.stack = entry;
  }
}

/** BullMQ asks this for every error that a processor throws. Always a finite whole number: BullMQ keeps a job with another one for ever. */
export function backoffStrategy(_attemptsMade: number, _type: string | undefined, error: Error | undefined): number {
  return error instanceof JobComesAgain ? error.delayMs : UNRECORDED_DELAY_MS;
}

/**
 * To be called first of all: whatever is thrown from then on, BullMQ asks our strategy and never gives the job up.
 * The options are not stored with the job, where they would cost memory for every waiting task.
 */
export function takeOverRetries(job: Job): void {
  job.opts.attempts = NEVER_EXHAUSTED;
  job.opts.backoff = { type: BACKOFF_TYPE };
}
