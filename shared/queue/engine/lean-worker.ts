import { Worker, type Job, type JobJson } from 'bullmq';

/** What BullMQ's types hide of its worker. bullmq-contract.ts names what has to stand in these methods. */
interface HiddenParts {
  drained: boolean;
  retryIfFailed<T>(work: () => Promise<T>, options: { readonly delayInMs?: number | undefined; readonly onlyEmitError?: boolean }): Promise<T>;
  updateDelays(limitMs?: number, delayUntil?: number): void;
  getUnrecoverableErrorMessage(job: Job): string | undefined;
}

/** What Redis has answered to the record of an end. */
type EndRecord = Awaited<ReturnType<Worker['backend']['moveToCompleted']>>;

/** The next job. There is none where the data is undefined, or null: then something is delayed, or the queue is paused. */
type NextJobReply = [data: JobJson | null | undefined, id: string, limitMs: number | undefined, delayUntil: number | undefined];

/** The next job, where there is one. */
type NextJob = ReturnType<Worker['processJob']>;

/** May the call that records the end of a job bring the next one? */
type FetchesNext = () => boolean;

const always: FetchesNext = () => true;

/**
 * A Worker that brings a job which ends well from its fetch to its recorded end, and to the next job, in one async function. BullMQ has a
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
    let record: EndRecord | undefined;
    try {
      if (hidden(this).getUnrecoverableErrorMessage(job) !== undefined) return await super.processJob(job, token, fetchesNext);
      this.lockManager.trackJob(job.id ?? '', token, job.processedOn ?? 0, false);
      try {
        result = await this.callProcessJob(job, token);
        hasResult = true;
        record = await this.#record(result, job, token, fetchesNext);
      } catch (error) {
        return await (hasResult ? this.#recordAgain(error as Error, result, job, token, fetchesNext) : this.#fail(error, job, token, fetchesNext));
      }
      return await this.#afterRecord(record, result, job, token);
    } finally {
      this.ended(job, token);
    }
  }

  /** @returns undefined for a worker that is closed already: nothing is recorded */
  #record(result: unknown, job: Job, token: string, fetchesNext: FetchesNext): Promise<EndRecord> | undefined {
    this.ending(job, token);
    if (this.backend.closing) return undefined;
    // BullMQ's types leave out that a job may say nothing of it: then the worker's own setting holds.
    return this.backend.moveToCompleted(job, result, job.opts.removeOnComplete as boolean, token, fetchesNext() && this.closing === undefined && !this.paused);
  }

  /**
   * What follows the record of an end: it is told, and the next job begins.
   *
   * It returns no promise where there is nothing to wait for. It never fails: a job whose end is recorded must not be recorded as failed.
   */
  #afterRecord(record: EndRecord | undefined, result: unknown, job: Job, token: string): Awaited<NextJob> | NextJob {
    if (record === undefined) return undefined;
    try {
      job.returnvalue = result;
      job.finishedOn = record.finishedOn;
      job.attemptsMade += 1;
      this.emit('completed', job, result, 'active');
      if (!Array.isArray(record.result)) return undefined;
      const [data, id, limitMs, delayUntil] = record.result as NextJobReply;
      hidden(this).updateDelays(limitMs, delayUntil);
      if (data !== null && data !== undefined && data.repeatJobKey === undefined) return this.#begin(data, id, token);
      return this.nextJobFromJobData(data ?? undefined, id, token).catch((error: unknown) => this.#tell(error));
    } catch (error) {
      return this.#tell(error);
    }
  }

  #tell(error: unknown): undefined {
    this.emit('error', error as Error);
    return undefined;
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
  async #recordAgain(error: Error, result: unknown, job: Job, token: string, fetchesNext: FetchesNext): NextJob {
    if (this.isLeftFor(error)) return undefined;
    let isFirst = true;
    const again = async (): Promise<EndRecord | undefined> => {
      if (isFirst) {
        isFirst = false;
        throw error;
      }
      try {
        return await this.#record(result, job, token, fetchesNext);
      } catch (next) {
        if (this.isLeftFor(next)) return undefined;
        throw next;
      }
    };
    let record: EndRecord | undefined;
    try {
      record = await hidden(this).retryIfFailed(again, { delayInMs: this.opts.runRetryDelay });
    } catch (last) {
      return await this.#fail(last, job, token, fetchesNext);
    }
    return await this.#afterRecord(record, result, job, token);
  }

  #fail(error: unknown, job: Job, token: string, fetchesNext: FetchesNext): NextJob {
    return hidden(this).retryIfFailed<Awaited<NextJob>>(() => this.handleFailed(error as Error, job, token, fetchesNext), { delayInMs: this.opts.runRetryDelay, onlyEmitError: true });
  }
}

function hidden(worker: Worker): HiddenParts {
  return worker as unknown as HiddenParts;
}
