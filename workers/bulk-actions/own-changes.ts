import { printActor, serviceActor } from '../../shared/domain/actor.js';
import type { BulkAction } from '../../shared/domain/bulk-actions/bulk-action.js';
import { sumOfCounts } from '../../shared/domain/bulk-actions/bulk-counts.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { AuditRecord } from '../../shared/queue/audit/audit-entry.js';
import type { BulkChange } from '../../shared/queue/bulk-actions/bulk-action-store.js';
import type { BulkActions } from '../../shared/queue/bulk-actions/bulk-actions.js';

/** Changes of bulk actions that the service makes by itself, for the person who asked for the action. */
export class OwnChanges {
  constructor(
    private readonly actions: BulkActions,
    private readonly logger: Logger,
  ) {}

  /**
   * Makes a change, unless the action has changed since it was read: another worker, or a person, was faster. What the audit says of it is
   * written in the same step.
   */
  async make(action: BulkAction, change: BulkChange): Promise<void> {
    // A person has begun it, and has an entry for that.
    const record = change.to === 'running' ? undefined : recordOf(action, change, await this.#startedBy(action));
    const changed = await this.actions.change(action.id, { ...change, epoch: action.epoch, ...(record === undefined ? {} : { record }) });
    if (changed?.isChanged !== true) return;
    const { id, asked, state } = changed.action;
    const { reason } = change;
    this.logger.info('bulk action', { bulk_action_id: id, action: asked.action, state, code: reason?.code, detail: reason?.message, asked_by: printActor(asked.createdBy), reason: asked.reason ?? undefined });
  }

  async #startedBy({ id }: BulkAction): Promise<number> {
    return sumOfCounts((await this.actions.partsOf(id)).flatMap((part) => part?.counts ?? [])).started;
  }
}

function recordOf({ id, asked }: BulkAction, { to, reason }: BulkChange, started: number): AuditRecord {
  return {
    action: to === 'paused' ? 'bulk_action.pause' : 'bulk_action.end',
    actor: serviceActor,
    target: { type: 'bulk_action', id },
    reason: asked.reason ?? undefined,
    requestId: undefined,
    count: started,
    errorCode: to === 'failed' || to === 'refused' ? reason?.code : undefined,
  };
}
