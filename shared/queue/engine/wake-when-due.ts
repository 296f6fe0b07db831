import type { RedisQueueBackend } from 'bullmq';
import type { Clock } from '../../domain/ports.js';

/** Node's timers may fire a part of a millisecond too early, and then BullMQ would find nothing due. */
const NOT_EARLY_MS = 1;
/**
 * A worker waits in Redis for at most so long, then it looks for due jobs and is told the time again, ms. BullMQ would wait for 10 s. A new job ends a
 * wait by a marker; where one was lost with a connection, the job would wait as long: on a crowded machine with a node away a delivery took 10.8 s, once.
 */
export const LONGEST_WAIT_MS = 2_500;

/**
 * An idle worker waits in Redis until the next job is due, and Redis ends such waits only `hz` times a second. So the
 * worker sets timers of its own, which end the wait as a new job would. If that fails, Redis ends it a little later.
 *
 * BullMQ may also forget when the next job is due: the reply to a job that has ended meanwhile says that nothing is, as it was
 * true a moment before, and the marker that told the time is used up. Then the wait would take 5 s. So each time that Redis
 * has told has a timer, until the next one is earlier.
 *
 * @param endWait gives BullMQ's marker to a waiting worker. Several workers may wake for one job: all but one find nothing
 * @param clock   by which jobs are due
 */
export function wakeWhenDue(backend: RedisQueueBackend, endWait: () => Promise<unknown>, clock: Clock): RedisQueueBackend {
  const wait = backend.waitForJob.bind(backend);
  const fetch = backend.moveToActive.bind(backend);
  const wake = (): void => { endWait().catch(() => undefined); };
  let alarm: NodeJS.Timeout | undefined;
  let alarmAt = Infinity;
  /** @param dueAt of the next job, ms since the epoch; 0 when there is none */
  const wakeAt = (dueAt: number): void => {
    const now = clock();
    // A timer that has fired, or that a stop of the process has made late, does not count.
    if (dueAt <= now || dueAt > now + LONGEST_WAIT_MS || (alarmAt > now && alarmAt <= dueAt)) return;
    clearTimeout(alarm);
    alarmAt = dueAt;
    alarm = setTimeout(wake, dueAt - now + NOT_EARLY_MS).unref();
  };
  backend.waitForJob = async (seconds) => {
    const end = setTimeout(wake, seconds * 1_000 + NOT_EARLY_MS);
    try {
      const marker = await wait(seconds);
      if (marker !== null) wakeAt(marker.score);
      return marker;
    } finally {
      clearTimeout(end);
    }
  };
  backend.moveToActive = async (token, name) => {
    const reply: unknown[] = await fetch(token, name);
    wakeAt(Number(reply[3] ?? 0));
    return reply;
  };
  return backend;
}
