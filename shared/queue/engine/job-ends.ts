import { UnrecoverableError, type Job } from 'bullmq';

/** The name of our backoff in BullMQ; the error carries the delay itself. */
const BACKOFF_TYPE = 'decided';
/**
 * The wait when BullMQ fails a job with an error that is not ours, for example because Redis refused the record of a
 * result.
 */
const UNRECORDED_DELAY_MS = 5_000;
/**
 * BullMQ gives a job up by this number. Only outcome.ts decides whether a task is given up, so the number is never
 * reached.
 */
const NEVER_EXHAUSTED = Number.MAX_SAFE_INTEGER;

/** A processor throws it to send the job again after a wait. BullMQ adds the stack of an error to the job's log. */
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

/** A processor throws it to end the job in the failed set. */
export class JobFails extends UnrecoverableError {
  /** @param entry of the job's log */
  constructor(message: string, entry: string) {
    super(message);
    // BullMQ looks for the name that UnrecoverableError gave itself. So only the stack is ours.
    this.stack = entry;
  }
}

/**
 * BullMQ asks this for every error that a processor throws. The answer is always a finite whole number: with another one
 * BullMQ keeps a job for ever.
 */
export function backoffStrategy(_attemptsMade: number, _type: string | undefined, error: Error | undefined): number {
  return error instanceof JobComesAgain ? error.delayMs : UNRECORDED_DELAY_MS;
}

/**
 * Call it before all else: for every error that is thrown later, BullMQ asks our strategy and never gives the job up. The
 * options are not stored with the job, because they would cost memory for every waiting task.
 */
export function takeOverRetries(job: Job): void {
  job.opts.attempts = NEVER_EXHAUSTED;
  job.opts.backoff = { type: BACKOFF_TYPE };
}
