import type { BulkAction } from '../../shared/domain/bulk-actions/bulk-action.js';
import type { BulkActions } from '../../shared/queue/bulk-actions/bulk-actions.js';

/**
 * Steps that a shard has refused because it knows of a later change of their action. As a rule the next look at the action brings that change.
 * On a cluster a failover may have taken the change back, and the shards go on to know of it: then the action is changed once more, so often
 * that they take its steps again. They would be refused for ever.
 */
export class StaleSteps {
  /** The epoch of the newest refused step, by the id of the action. */
  readonly #refused = new Map<string, number>();

  constructor(private readonly actions: BulkActions) {}

  async note({ id, epoch, state }: BulkAction): Promise<void> {
    if (this.#refused.get(id) !== epoch) {
      this.#refused.set(id, epoch);
      return;
    }
    await this.actions.change(id, { from: [state], to: 'same', epoch });
  }

  forgetAll(): void {
    this.#refused.clear();
  }
}
