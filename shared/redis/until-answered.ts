import { setTimeout as wait } from 'node:timers/promises';
import { RedisErrors } from './redis-error.js';

/** How long to wait before Redis is asked again, ms. */
const ASK_AGAIN_MS = 250;
/** A start that waits says so after this time, ms. */
const TOLD_AFTER_MS = 2_000;

export interface PatientStart {
  /** What is waited for, in words. */
  readonly what: string;
  readonly onWait: (what: string) => void;
  /** Ends the wait. */
  readonly isStopped: () => boolean;
  /** For tests. */
  readonly toldAfterMs?: number;
}

/**
 * Asks until Redis answers: a process that starts needs what it asks for. The client of a worker waits for a server that is silent, and for
 * one Redis that is away, but fails after some redirections when the master of a cluster is gone and none has taken over.
 * @throws what `ask` fails with for another reason than an outage, or when it is told to stop
 */
export async function untilAnswered<T>(ask: () => Promise<T>, { what, onWait, isStopped, toldAfterMs = TOLD_AFTER_MS }: PatientStart): Promise<T> {
  const errors = new RedisErrors();
  const telling = setTimeout(() => onWait(what), toldAfterMs);
  try {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (isStopped() || errors.classify(error) !== 'unavailable') throw error;
      }
      await wait(ASK_AGAIN_MS);
    }
  } finally {
    clearTimeout(telling);
  }
}
