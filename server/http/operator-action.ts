import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { hashesFor, type OpenAuditEntry } from '../../shared/queue/audit/audit-log.js';
import type { FieldValues } from '../../shared/queue/audit/field-hashes.js';
import type { ChangePlace, TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { AskedChange } from './asked-change.js';
import type { RequestContext } from './request-context.js';
import { shortText } from './short-error.js';

/** What operators do. The names are stable: log lines and the audit are searched by them. */
export type ActionName =
  | 'bulk_action.cancel'
  | 'bulk_action.create'
  | 'bulk_action.pause'
  | 'bulk_action.rate'
  | 'bulk_action.resume'
  | 'destination.credentials'
  | 'destination.limits'
  | 'destination.pause'
  | 'destination.resume'
  | 'destination.test_send'
  | 'key.create'
  | 'key.delete'
  | 'key.edit'
  | 'key.rotate'
  | 'task.cancel'
  | 'task.delete'
  | 'task.edit'
  | 'task.retry';

export interface OperatorAction {
  readonly action: ActionName;
  /** `task` and its id, `destination` and its key, `bulk_action` and its id, `key` and its id, or `queue` and its name. */
  readonly target: { readonly type: 'task' | 'destination' | 'queue' | 'bulk_action' | 'key'; readonly id: string };
  readonly asked: AskedChange;
}

/** What came of it, and the name of the action where only the result tells it. */
export interface Performed<T> {
  readonly result: T;
  readonly action?: ActionName;
  /** How many things were changed. Default 1. */
  readonly count?: number;
  /** The values of the fields that it changes, before and after it. Only hashes of those that differ are written down. */
  readonly fields?: { readonly before: FieldValues; readonly after: FieldValues };
  /** It turned out that nothing differs, as with an edit that is sent twice: no entry is kept. */
  readonly isUnchanged?: boolean;
  /** What came of it is known later, and then written by the process that finds it out. */
  readonly isCompletedLater?: boolean;
}

export interface ActionParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting'>;
  readonly logger: Logger;
}

/** A key has at most 1,024 characters, of two units each. A path may hold more, and it would fill the audit. */
const MAX_TARGET_CHARACTERS = 2_100;

/**
 * Does what an operator asked for, and writes down who asked for what, and what came of it: an entry of the audit, which is begun
 * before the change and completed after it, and one line `operator action` of the log.
 *
 * A change whose entry cannot be begun is not made. One whose entry cannot be completed is answered as it came out: the entry stays,
 * visibly begun. It stays so too when Redis' answer to the change was lost, since it is not known whether it was made.
 * Where the caller was checked a while ago, it is checked again first: its key may have been revoked meanwhile.
 * @returns the result of `work`. @throws what `work` throws, those of the access check, and RequestError redis_unavailable, redis_full or redis_refused when
 *          the entry cannot be written
 */
export async function performed<T>(context: RequestContext, parts: ActionParts, operation: OperatorAction, work: (entry: OpenAuditEntry) => Promise<Performed<T>>): Promise<T> {
  // What was looked up before may have waited for room.
  if (context.isAccessOld) await context.renewAccess();
  const place = placeOf(operation);
  let entry: OpenAuditEntry | undefined;
  let done: Performed<T>;
  const begunAndDone = async (): Promise<Performed<T>> => {
    entry = await begin(context, parts, operation, place);
    return work(entry);
  };
  try {
    // The entry stands where the change does, so what waits for the change has waited for its beginning as well.
    done = await (isLasting(operation) ? parts.queue.lasting(place, begunAndDone) : begunAndDone());
  } catch (error) {
    const code = error instanceof RequestError ? error.code : 'internal';
    log(context, parts.logger, operation, operation.action, { outcome: 'failed', error_code: code });
    if (entry !== undefined && code !== 'redis_unavailable') await end(parts, place, entry, { outcome: 'failed', errorCode: code, count: code === 'internal' ? undefined : 0 });
    throw error;
  }
  const { result, action = operation.action, count = 1, fields, isUnchanged = false, isCompletedLater = false } = done;
  log(context, parts.logger, operation, action, { outcome: 'done' });
  if (entry !== undefined && !isCompletedLater) await end(parts, place, entry, isUnchanged ? 'nothing' : { outcome: 'done', action: action === operation.action ? undefined : action, count, fields });
  return result;
}

function isLasting({ action }: OperatorAction): boolean {
  return action !== 'destination.test_send';
}

/** Where the change stands, and its entry. */
function placeOf({ target: { type, id } }: OperatorAction): ChangePlace {
  switch (type) {
    case 'task':
      return { task: id };
    case 'queue':
      return { queue: id };
    case 'destination':
    case 'bulk_action':
    case 'key':
      return 'fleet';
  }
}

async function begin({ requestId }: RequestContext, { queue }: ActionParts, { action, target, asked: { by, reason } }: OperatorAction, place: ChangePlace): Promise<OpenAuditEntry> {
  const { type, id } = target;
  return queue.withAudit(place, (audit) => audit.begin({ action, actor: by, target: { type, id: shortText(id, MAX_TARGET_CHARACTERS) }, reason, requestId }));
}

interface Ending {
  readonly outcome: 'done' | 'failed';
  readonly errorCode?: string;
  readonly action?: ActionName | undefined;
  readonly count: number | undefined;
  readonly fields?: Performed<unknown>['fields'];
}

/** It never fails: the change has been made, or refused, whatever becomes of its entry. */
async function end({ queue, logger }: ActionParts, place: ChangePlace, entry: OpenAuditEntry, ending: Ending | 'nothing'): Promise<void> {
  try {
    await queue.withAudit(place, async (audit) => {
      if (ending === 'nothing') return audit.discard(entry);
      const { outcome, errorCode, action, count, fields } = ending;
      const hashes = fields === undefined ? undefined : hashesFor(entry, fields.before, fields.after);
      return audit.complete(entry, { outcome, errorCode, action, count, fields: hashes });
    });
  } catch (error) {
    logger.warn('an entry of the audit stays as it was begun: what came of the change could not be added', { audit_id: entry.id, error: error instanceof Error ? error.message : String(error) });
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
