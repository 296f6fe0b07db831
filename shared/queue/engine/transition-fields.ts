import type { IQueueBackend, Job } from 'bullmq';

/**
 * Has the transition of a job that fails write fields of ours, in the script that makes it. BullMQ's Job.moveToFailed makes
 * the list of these fields (`fieldsToUpdate`) up itself and takes none from its caller, so they are added where it hands
 * the list on: to the three backend calls it chooses from (delayed, retried at once, failed). Holds for this job only, and for
 * each time that BullMQ repeats a call that Redis did not answer.
 */
export function addToTransition(job: Job, fields: Readonly<Record<string, string>>): void {
  const backend = backendOf(job);
  // It inherits from the worker's backend, whose other methods must see their own fields.
  const adding = Object.create(backend) as IQueueBackend;
  adding.moveToDelayed = (jobId, at, delay, token, options) => backend.moveToDelayed(jobId, at, delay, token, { ...options, fieldsToUpdate: { ...options?.fieldsToUpdate, ...fields } });
  adding.retryJob = (jobId, lifo, token, options) => backend.retryJob(jobId, lifo, token, { ...options, fieldsToUpdate: { ...options?.fieldsToUpdate, ...fields } });
  adding.moveToFailed = (failed, reason, removeOnFail, token, fetchNext, fieldsToUpdate) => backend.moveToFailed(failed, reason, removeOnFail, token, fetchNext, { ...fieldsToUpdate, ...fields });
  holderOf(job).backend = adding;
}

/** Through which the job sends its transitions. */
export function backendOf(job: Job): IQueueBackend {
  return holderOf(job).backend;
}

function holderOf(job: Job): { backend: IQueueBackend } {
  // `protected` in BullMQ's types: a Job has no public way to its backend.
  return job as unknown as { backend: IQueueBackend };
}
