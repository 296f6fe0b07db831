import type { ApiCalls } from './api-calls.js';
import { ApiError, NoAnswerError, WaitTimeoutError } from './api-error.js';
import { endedStates, type TaskState, type TaskView } from './answers.js';
import { linkedSignal, pause } from './linked-signal.js';

export interface WaitOptions {
  /** The longest wait, ms. Default 60,000. */
  readonly timeoutMs?: number;
  /** States that end the wait. Default: those in which a task stays. */
  readonly states?: readonly TaskState[];
  /** The run that has to end. A task that was started again is in a later one, and then the earlier one has ended. Default: any run. */
  readonly run?: number;
  /** Time between two looks, ms. Default 500. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_LIMIT_MS = 60_000;
const DEFAULT_EVERY_MS = 500;
/** A task that is just being submitted may not be known yet. So many looks in a row that find none mean that there is none. */
const NOT_FOUND_IN_A_ROW = 3;

/**
 * Waits until a task has ended.
 *
 * The time limit holds for everything, a request that is under way included: it is aborted, and nothing is asked any more. An answer
 * that is lost, or a 503, ends nothing: the next look follows.
 * @returns the task as it was seen then; its `run` says which run has ended
 * @throws WaitTimeoutError; ApiError task_not_found when three looks in a row find no such task, and other refusals; the reason of the
 *         signal
 */
export async function waitForTask(calls: ApiCalls, id: string, { timeoutMs = DEFAULT_LIMIT_MS, states = endedStates, run, everyMs = DEFAULT_EVERY_MS, signal }: WaitOptions = {}): Promise<TaskView> {
  const limit = linkedSignal(signal, timeoutMs);
  let last: TaskView | undefined;
  let lastError: unknown;
  try {
    for (let missing = 0; ; ) {
      try {
        last = await calls.call('GET /tasks/{id}', { path: { id }, signal: limit.signal });
        missing = 0;
        if (isOver(last, states, run)) return last;
      } catch (error) {
        limit.signal.throwIfAborted();
        lastError = error;
        missing += isMissing(error) ? 1 : 0;
        if (missing >= NOT_FOUND_IN_A_ROW || !(isMissing(error) || isPassing(error))) throw error;
      }
      await pause(everyMs, limit.signal);
    }
  } catch (error) {
    if (!limit.isOver) throw error;
    throw new WaitTimeoutError(`task ${JSON.stringify(id)} has not ended within ${Math.round(timeoutMs)} ms: ${seenOf(last, lastError)}`, last, { cause: lastError });
  } finally {
    limit.release();
  }
}

function isOver({ state, run }: TaskView, states: readonly TaskState[], asked: number | undefined): boolean {
  if (asked !== undefined && run !== asked) return run > asked;
  return states.includes(state);
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'task_not_found';
}

function isPassing(error: unknown): boolean {
  return error instanceof NoAnswerError || (error instanceof ApiError && error.status >= 500);
}

function seenOf(last: TaskView | undefined, error: unknown): string {
  if (last !== undefined) return `it is ${last.state} in run ${last.run}`;
  return error instanceof Error ? error.message : 'no answer has come';
}
