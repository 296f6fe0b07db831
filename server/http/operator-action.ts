import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { AskedChange } from './asked-change.js';
import type { RequestContext } from './request-context.js';

/** What operators do. The names are stable: log lines are searched by them. */
export type ActionName = 'destination.limits' | 'destination.pause' | 'destination.resume' | 'task.cancel' | 'task.delete' | 'task.retry';

export interface OperatorAction {
  readonly action: ActionName;
  /** `task` and its id, `destination` and its key, or `queue` and its name. */
  readonly target: { readonly type: 'task' | 'destination' | 'queue'; readonly id: string };
  readonly asked: AskedChange;
}

/** What came of it, and the name of the action where only the result tells it. */
export interface Performed<T> {
  readonly result: T;
  readonly action?: ActionName;
}

/**
 * Does what an operator asked for, and writes one line about it: `operator action` with `action`, `outcome`, the actor, the
 * target and the reason. The outcome `failed` does not say that nothing was changed: Redis' answer may have been lost.
 * @returns the result of `work`. @throws what `work` throws
 */
export async function performed<T>(context: RequestContext, logger: Logger, operation: OperatorAction, work: () => Promise<Performed<T>>): Promise<T> {
  try {
    const { result, action = operation.action } = await work();
    log(context, logger, operation, action, { outcome: 'done' });
    return result;
  } catch (error) {
    log(context, logger, operation, operation.action, { outcome: 'failed', error_code: error instanceof RequestError ? error.code : 'internal' });
    throw error;
  }
}

function log({ requestId }: RequestContext, logger: Logger, { target, asked: { by, reason } }: OperatorAction, action: ActionName, outcome: { readonly outcome: 'done' | 'failed'; readonly error_code?: string }): void {
  logger.info('operator action', {
    action,
    ...outcome,
    target_type: target.type,
    target: target.id,
    operator: by.operator ?? undefined,
    actor: by.type,
    actor_id: by.id ?? undefined,
    actor_name: by.name ?? undefined,
    reason,
    request_id: requestId,
  });
}
