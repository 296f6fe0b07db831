import type { RedisQueueBackend } from 'bullmq';

/** Node's timers may fire a part of a millisecond too early, and then BullMQ would find nothing due. */
const NOT_EARLY_MS = 1;

/**
 * An idle worker waits in Redis until the next job is due, and Redis ends such waits only `hz` times a second. So the
 * worker sets a timer of its own, which ends the wait as a new job would. If that fails, Redis ends it a little later.
 *
 * @param endWait gives BullMQ's marker to a waiting worker. Several workers may wake for one job: all but one find nothing
 */
export function wakeWhenDue(backend: RedisQueueBackend, endWait: () => Promise<unknown>): RedisQueueBackend {
  const wait = backend.waitForJob.bind(backend);
  backend.waitForJob = async (seconds) => {
    const alarm = setTimeout(() => { endWait().catch(() => undefined); }, seconds * 1_000 + NOT_EARLY_MS);
    try {
      return await wait(seconds);
    } finally {
      clearTimeout(alarm);
    }
  };
  return backend;
}
