import type { RedisQueueBackend } from 'bullmq';
import type { PendingCalls } from './pending-calls.js';

/** BullMQ's reply for "there is no job". */
const NO_JOB: [] = [];

/** Notes what the loop of a worker waits for. A worker that takes nothing more does not ask Redis for a job. */
export function watchCalls(backend: RedisQueueBackend, calls: PendingCalls): RedisQueueBackend {
  const wait = backend.waitForJob.bind(backend);
  const fetch = backend.moveToActive.bind(backend);
  backend.waitForJob = (seconds) => calls.track('wait', seconds * 1_000, () => wait(seconds));
  backend.moveToActive = (token, name) => (calls.mayFetch ? calls.track('fetch', 0, () => fetch(token, name)) : Promise.resolve(NO_JOB));
  return backend;
}
