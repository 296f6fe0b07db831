import type { BulkAction, StateReason } from '../../shared/domain/bulk-actions/bulk-action.js';
import type { OwnChanges } from './own-changes.js';

const CHANGES_LOST: StateReason = { code: 'changes_lost', message: 'a failover of redis took back the newest changes of this action: resume it, or cancel it' };
/** A failover takes back a second or two. A person makes fewer changes of one action in that time. */
const MOST_LOST = 8;

/**
 * Steps that a shard has refused because it knows of a later change of their action. As a rule the next look at the action brings that change.
 * On a cluster a failover may have taken the change back, and the shards go on to know of it: the steps would be refused for ever. Nobody knows
 * whether the change was a stop. So the action pauses, and what a person decides then is later than all that the shards know of.
 */
export class StaleSteps {
  /** The epoch of the newest refused step, by the id of the action. */
  readonly #refused = new Map<string, number>();

  constructor(private readonly changes: OwnChanges) {}

  async note(action: BulkAction): Promise<void> {
    const { id, epoch, state } = action;
    if (this.#refused.get(id) === epoch) await this.changes.make(action, { from: [state], to: 'paused', reason: CHANGES_LOST, fields: { epoch: epoch + MOST_LOST } });
    else this.#refused.set(id, epoch);
  }

  forgetAll(): void {
    this.#refused.clear();
  }
}
