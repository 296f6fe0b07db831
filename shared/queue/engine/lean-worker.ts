import { Worker, type Job, type JobJson } from 'bullmq';

/** What BullMQ's types hide of its worker. bullmq-contract.ts names what has to stand in these methods. */
interface HiddenParts {
  drained: boolean;
  retryIfFailed<T>(work: () => Promise<T>, options: { readonly delayInMs?: number | undefined; readonly onlyEmitError?: boolean }): Promise<T>;
  updateDelays(limitMs?: number, delayUntil?: number): void;
  getUnrecoverableErrorMessage(job: Job): string | undefined;
}

/** The next job, where there is one. */
type NextJob = ReturnType<Worker['processJob']>;

/** May the call that records the end of a job bring the next one? */
type FetchesNext = () => boolean;

const always: FetchesNext = () => true;

/**
 * A Worker that brings a job which ends well from its fetch to its recorded end, and to the next job, in two async functions. BullMQ has a
 * dozen for that, for its telemetry, its schedulers and its repetitions. Each costs a promise and turns of the microtask queue, and all
 * together show in the delivery rate. What does not end well goes through BullMQ's own code.
 */
export abstract class LeanWorker extends Worker {
  /** The end of the job is recorded from now on: its lock is Redis' to remove. */
  protected abstract ending(job: Job, token: string): void;

  /** BullMQ has finished with the job, whatever the result. */
  protected abstract ended(job: Job, token: string): void;

  /** Is the job to stay as it is, since its end could not be recorded for this reason? It has succeeded, and must not be recorded as failed. */
  protected abstract isLeftFor(error: unknown): boolean;

  override async processJob(job: Job, token: string, fetchesNext = always): NextJob {
    let result: unknown;
    let hasResult = false;
    try {
      if (hidden(this).getUnrecoverableErrorMessage(job) !== undefined) return await super.processJob(job, token, fetchesNext);
      this.lockManager.trackJob(job.id ?? '', token, job.processedOn ?? 0, false);
      try {
        result = await this.callProcessJob(job, token);
        hasResult = true;
        return await this.handleCompleted(result, job, token, fetchesNext);
      } catch (error) {
        if (hasResult && this.isLeftFor(error)) return undefined;
        return await (hasResult ? this.#completeAgain(error as Error, result, job, token, fetchesNext) : this.#fail(error, job, token, fetchesNext));
      }
    } finally {
      this.ended(job, token);
    }
  }

  protected override async handleCompleted(result: unknown, job: Job, token: string, fetchesNext = always): Promise<Job> {
    this.ending(job, token);
    // BullMQ's types leave out that there may be no next job.
    if (this.backend.closing) return undefined as unknown as Job;
    const { result: next, finishedOn } = await this.backend.moveToCompleted(job, result, job.opts.removeOnComplete ?? false, token, fetchesNext() && this.closing === undefined && !this.paused);
    job.returnvalue = result;
    job.finishedOn = finishedOn;
    job.attemptsMade += 1;
    this.emit('completed', job, result, 'active');
    if (!Array.isArray(next)) return undefined as unknown as Job;
    const [data, id, limitMs, delayUntil] = next as [JobJson | undefined, string, number | undefined, number | undefined];
    hidden(this).updateDelays(limitMs, delayUntil);
    return data === undefined || data.repeatJobKey !== undefined ? this.nextJobFromJobData(data, id, token) : this.#begin(data, id, token);
  }

  /** The same as BullMQ does with a job that no scheduler has made. */
  #begin(data: JobJson, id: string, token: string): Job {
    hidden(this).drained = false;
    const job = this.createJob(data, id);
    job.token = token;
    this.emit('active', job, 'waiting');
    return job;
  }

  /** Its end was not recorded. What BullMQ does then begins with the error of the first try. */
  async #completeAgain(error: Error, result: unknown, job: Job, token: string, fetchesNext: FetchesNext): NextJob {
    let isFirst = true;
    const complete = (): Promise<Job> => {
      if (!isFirst) return this.handleCompleted(result, job, token, fetchesNext);
      isFirst = false;
      return Promise.reject(error);
    };
    try {
      return await hidden(this).retryIfFailed(complete, { delayInMs: this.opts.runRetryDelay });
    } catch (last) {
      if (this.isLeftFor(last)) return undefined;
      return await this.#fail(last, job, token, fetchesNext);
    }
  }

  #fail(error: unknown, job: Job, token: string, fetchesNext: FetchesNext): NextJob {
    return hidden(this).retryIfFailed<Awaited<NextJob>>(() => this.handleFailed(error as Error, job, token, fetchesNext), { delayInMs: this.opts.runRetryDelay, onlyEmitError: true });
  }
}

function hidden(worker: Worker): HiddenParts {
  return worker as unknown as HiddenParts;
}
