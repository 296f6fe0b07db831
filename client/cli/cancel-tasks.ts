import { ApiError } from '../api-error.js';
import type { BulkAction, TaskState } from '../answers.js';
import { linkedSignal } from '../linked-signal.js';
import type { CommandContext } from './command.js';
import { InterruptedError } from './exit-codes.js';
import { textOf } from './option-values.js';

/** What became of one id. */
export interface CancelResult {
  readonly id: string;
  readonly state?: TaskState;
  readonly message?: string;
  readonly error?: string;
  readonly code?: string;
}

/** States that the bulk action takes. A task that is parked meanwhile is left by it. */
const waitingStates: ReadonlySet<TaskState> = new Set(['scheduled', 'retrying', 'dead_lettering']);
/** A task may be sent between the look and the action. Then all of them are looked at again. */
const ROUNDS = 3;
/** Workers carry the action out. Without any, it would be waited for without end. */
const CANCEL_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 100;
const DEFAULT_REASON = 'cancelled by kafka-retry cancel';

/**
 * Cancels some named tasks, and tells what became of each, in their order.
 *
 * It is a bulk action, because DELETE has no condition: it removes a task for good that was parked a moment before. The action takes
 * a task only in the state and run in which it was found waiting.
 * @throws InterruptedError, NoAnswerError, and ApiError where the whole was refused
 */
export async function cancelTasks(context: CommandContext, ids: readonly string[]): Promise<readonly CancelResult[]> {
  const results = new Map<string, CancelResult>();
  for (let round = 1; ; round += 1) {
    const left: string[] = [];
    for (const id of ids) {
      if (results.has(id)) continue;
      const reason = await whyNot(context, id);
      if (reason === undefined) left.push(id);
      else results.set(id, reason);
    }
    if (left.length === 0) break;
    const action = await runAction(context, left, round < ROUNDS);
    if (action === 'other tasks') continue;
    for (const id of left) results.set(id, await resultOf(context, id, action));
    break;
  }
  return ids.flatMap((id) => results.get(id) ?? []);
}

/** @returns undefined: it waits, and may be cancelled */
async function whyNot({ client, signal }: CommandContext, id: string): Promise<CancelResult | undefined> {
  try {
    const { state } = await client.get(id, { signal });
    return waitingStates.has(state) ? undefined : refusal(id, state);
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) return { id, error: error.message, code: error.code };
    throw error;
  }
}

function refusal(id: string, state: TaskState): CancelResult {
  if (state === 'parked') return { id, state, error: `${id} is parked, and the only copy left: kafka-retry delete ${id} removes it for good`, code: 'parked' };
  if (state === 'delivering') return { id, state, error: `task ${id} is being sent`, code: 'being_sent' };
  return { id, state, error: `task ${id} has ended: it is ${state}`, code: 'finished' };
}

/** @returns the action as it was seen last; 'other tasks' when not all of them waited any more, so that none was touched */
async function runAction({ client, values, signal, say }: CommandContext, ids: readonly string[], mayRepeat: boolean): Promise<BulkAction | 'other tasks'> {
  let last: BulkAction;
  try {
    last = await client.createBulkAction({ action: 'cancel', ids, expected: ids.length, reason: textOf(values, 'reason') ?? DEFAULT_REASON }, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'count_differs' && mayRepeat) return 'other tasks';
    throw error;
  }
  const limit = linkedSignal(signal, CANCEL_LIMIT_MS);
  try {
    for await (const action of client.watchBulkAction(last.id, { everyMs: LOOK_EVERY_MS, signal: limit.signal })) last = action;
    return last.state === 'refused' && mayRepeat ? 'other tasks' : last;
  } catch (error) {
    if (!(limit.isOver || error instanceof InterruptedError)) throw error;
    say(`bulk action ${last.id} is not done yet, and goes on: kafka-retry action ${last.id} shows it, kafka-retry action ${last.id} --cancel ends it`);
    if (error instanceof InterruptedError) throw error;
    return last;
  } finally {
    limit.release();
  }
}

async function resultOf({ client, signal }: CommandContext, id: string, { id: actionId, state: actionState }: BulkAction): Promise<CancelResult> {
  try {
    const { state } = await client.get(id, { signal });
    if (state === 'cancelled') return { id, state, message: `Task ${id} cancelled` };
    if (waitingStates.has(state)) return { id, state, error: `task ${id} is not cancelled: bulk action ${actionId} is ${actionState}`, code: 'not_cancelled' };
    return refusal(id, state);
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) return { id, error: error.message, code: error.code };
    throw error;
  }
}
