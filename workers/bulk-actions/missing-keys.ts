import type { BulkAction } from '../../shared/domain/bulk-actions/bulk-action.js';
import type { SealedTextError } from '../../shared/domain/secrets/secret-box.js';
import type { BulkActions } from '../../shared/queue/bulk-actions/bulk-actions.js';
import type { OwnChanges } from './own-changes.js';

/**
 * Bulk actions that need a key of SECRETS_KEYS which this worker does not have. While keys are replaced another worker may have it, so this
 * one leaves the action alone for a time. Behind that, tasks under such a key are counted and stay as they are; without them the action
 * would end at the first one. When its own override is under such a key nothing of it can be done, and it pauses.
 */
export class MissingKeys {
  /** By action: since when no other worker has been at it, ms, monotonic. */
  readonly #since = new Map<string, number>();
  readonly #givenUp = new Set<string>();

  /**
   * @param token    of this worker
   * @param waitMs   for a worker that has the key
   */
  constructor(
    private readonly token: string,
    private readonly waitMs: number,
    private readonly actions: BulkActions,
    private readonly changes: OwnChanges,
  ) {}

  /** Are tasks under a key that is missing counted, and left as they are? */
  isGivenUp(id: string): boolean {
    return this.#givenUp.has(id);
  }

  /** There is no action to carry out. */
  forgetAll(): void {
    this.#since.clear();
    this.#givenUp.clear();
  }

  /** A step of the action has failed because of such a key. */
  async note(action: BulkAction, error: SealedTextError): Promise<void> {
    const { id } = action;
    const { shards, asked } = this.actions;
    const held = await Promise.all(shards.map((shard) => asked.one(shard, () => shard.isInOtherHands(id, this.token))));
    if (held.includes(true)) {
      this.#forget(id);
      return;
    }
    const now = performance.now();
    const since = this.#since.get(id) ?? now;
    this.#since.set(id, since);
    if (!this.#givenUp.has(id)) {
      if (now - since >= this.waitMs) this.#givenUp.add(id);
      return;
    }
    // A task that lacks its key would have been counted.
    this.#forget(id);
    await this.changes.make(action, { from: ['running'], to: 'paused', reason: { code: 'key_missing', message: `the override cannot be decrypted: ${error.message}. Add the key and resume, or cancel` } });
  }

  #forget(id: string): void {
    this.#since.delete(id);
    this.#givenUp.delete(id);
  }
}
