import type { IRedisTransaction, JobJson, Queue } from 'bullmq';
import { EngineMismatchError } from './engine-mismatch.js';

/** A job as BullMQ stores it: what a Job would make of itself. */
export type AddedJob = Pick<JobJson, 'id' | 'name' | 'data' | 'opts' | 'timestamp'>;

/** The call that BullMQ would send to add a job. */
export interface RecordedAdd {
  /** Name of the command; BullMQ's version is a part of it: `addDelayedJob:6.7.0`. */
  readonly command: string;
  /** Keys, then values. */
  readonly args: readonly (string | Buffer)[];
}

/** @throws EngineMismatchError when BullMQ does not add a job by one script */
export function recordAdd(queue: Queue, job: AddedJob): RecordedAdd {
  const recorder = new Recorder();
  // It only calls runCommand, before its first await: the rest of BullMQ's type is not needed.
  void queue.getBackend().addJobToTransaction(recorder as unknown as IRedisTransaction, { ...blankJob, ...job }, job.id);
  if (recorder.recorded === undefined) throw new EngineMismatchError(['bullmq: expected that a job is added by one script that is run at once, found none']);
  return recorder.recorded;
}

/** BullMQ's ways to add one of our jobs, which all have a priority. It chooses by delay; which script it takes is asked of it, not repeated. */
export function recordAdds(queue: Queue): readonly RecordedAdd[] {
  return [{ delay: 1 }, { priority: 1 }].map((opts) => recordAdd(queue, { ...blankJob, opts }));
}

/** Stands where BullMQ expects a connection, and keeps the command instead of sending it. */
class Recorder {
  recorded: RecordedAdd | undefined;

  runCommand(command: string, args: readonly (string | Buffer)[]): void {
    this.recorded = { command, args };
  }
}

/** Members that BullMQ's type of a job asks for, and that its add does not read. */
const blankJob: JobJson = { id: '', name: '', data: '', opts: {}, timestamp: 0, progress: 0, attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0, failedReason: '', returnvalue: '' };
