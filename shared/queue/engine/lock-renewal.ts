import { EngineMismatchError } from './engine-mismatch.js';

/** The parts of BullMQ's LockManager that are needed here; its types hide most of them. */
interface LockManager {
  /** The jobs in hand. BullMQ makes a new entry for each fetch. */
  readonly trackedJobs: Map<string, { readonly token: string }>;
  /** lockRenewTime: half of the duration of a lock, ms. */
  readonly opts: { readonly lockRenewTime: number };
  readonly closed: boolean;
  lockRenewalTimer?: NodeJS.Timeout | undefined;
  extendLocks(jobIds: readonly string[]): Promise<void>;
  startLockExtenderTimer(): void;
  untrackJob(jobId: string): void;
}

/** Ends the renewal of the lock that a job got with this token; that of a later fetch goes on. */
export type EndRenewal = (jobId: string, token: string) => void;

/**
 * Lets a worker renew its locks for certain, where BullMQ does not:
 *
 * - Without asking the clock. BullMQ compares Date.now with the time of the last renewal. So when the clock of the machine was
 *   set back by a minute, no lock was renewed for a minute: the tasks in hand counted as stalled, and were sent twice. Here a
 *   lock is renewed at each round but the first after its fetch, which is every quarter of its duration.
 * - By fetch, not by job. A worker whose lock has lapsed may fetch the same job again while its first send is still under
 *   way. BullMQ forgets a job by its id alone: when the first send ended, the lock of the second one was not renewed any
 *   more, it lapsed, and so on. A task of 1.5 s was sent twelve times, and counted as poison.
 *
 * @param manager the `lockManager` of a BullMQ worker
 * @returns to be called where BullMQ forgets a job
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function renewLocksByFetch(manager: unknown): EndRenewal {
  if (!isLockManager(manager)) throw new EngineMismatchError(["bullmq: expected a worker to renew its locks by 'lockManager.startLockExtenderTimer', found no such method"]);
  const seen = new WeakSet();
  const renew = async (): Promise<void> => {
    const old: string[] = [];
    for (const [jobId, entry] of manager.trackedJobs) {
      if (seen.has(entry)) old.push(jobId);
      else seen.add(entry);
    }
    // It never rejects: a failure is an event of the worker.
    if (old.length > 0) await manager.extendLocks(old);
    manager.startLockExtenderTimer();
  };
  manager.startLockExtenderTimer = () => {
    clearTimeout(manager.lockRenewalTimer);
    if (!manager.closed) manager.lockRenewalTimer = setTimeout(() => void renew(), manager.opts.lockRenewTime / 2);
  };
  manager.untrackJob = () => undefined;
  return (jobId, token) => {
    if (manager.trackedJobs.get(jobId)?.token === token) manager.trackedJobs.delete(jobId);
  };
}

function isLockManager(value: unknown): value is LockManager {
  return typeof value === 'object' && value !== null && 'trackedJobs' in value && value.trackedJobs instanceof Map && 'startLockExtenderTimer' in value && typeof value.startLockExtenderTimer === 'function' && 'extendLocks' in value && typeof value.extendLocks === 'function' && 'untrackJob' in value && typeof value.untrackJob === 'function';
}
