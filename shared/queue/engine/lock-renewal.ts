import { EngineMismatchError } from './engine-mismatch.js';

/** The parts of BullMQ's LockManager that are needed here; its types hide most of them. */
interface LockManager {
  /** The jobs in hand. BullMQ makes a new entry for each fetch. */
  readonly trackedJobs: ReadonlyMap<string, object>;
  /** lockRenewTime: half of the duration of a lock, ms. */
  readonly opts: { readonly lockRenewTime: number };
  readonly closed: boolean;
  lockRenewalTimer?: NodeJS.Timeout | undefined;
  extendLocks(jobIds: readonly string[]): Promise<void>;
  startLockExtenderTimer(): void;
}

/**
 * Lets a worker renew its locks without asking the clock. BullMQ compares Date.now with the time of the last renewal. So
 * when the clock of the machine was set back by a minute, no lock was renewed for a minute: the tasks in hand counted as
 * stalled, and were sent twice.
 *
 * Here a lock is renewed at each round but the first after its fetch, which is every quarter of its duration.
 * @param manager the `lockManager` of a BullMQ worker
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function renewLocksWithoutClock(manager: unknown): void {
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
}

function isLockManager(value: unknown): value is LockManager {
  return typeof value === 'object' && value !== null && 'trackedJobs' in value && value.trackedJobs instanceof Map && 'startLockExtenderTimer' in value && typeof value.startLockExtenderTimer === 'function' && 'extendLocks' in value && typeof value.extendLocks === 'function';
}
