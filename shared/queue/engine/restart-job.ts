import type { MinimalJob, Queue } from 'bullmq';
import { luaFunction } from './bullmq-script.js';
import type { DefinedScripts } from './defined-scripts.js';
import { recordCall, type RecordedCall } from './recorded-call.js';

/**
 * The call of BullMQ's own Job.retry of a failed job, with both counters set back: the job becomes due. It does nothing to a job that is
 * not in the failed set.
 * @throws EngineMismatchError when BullMQ retries in another way
 */
export function recordRestart(queue: Queue, jobId: string): Promise<RecordedCall> {
  // BullMQ reads only these parts of the job.
  const job = { id: jobId, opts: {} } as MinimalJob;
  return recordCall(queue.getBackend(), 'reprocessJob', (backend) => backend.retryFinishedJob(job, 'failed', { resetAttemptsMade: true, resetAttemptsStarted: true }));
}

/** Lua: `restart(KEYS, ARGV)`, the same for a script of ours. */
export function restartFunction(scripts: DefinedScripts): string {
  return luaFunction(scripts, 'reprocessJob', 'restart');
}
