import { RequestError } from '../../shared/domain/errors.js';
import type { KeyChange, KeyStore } from '../../shared/queue/access/key-store.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { NotReplicatedError } from '../../shared/redis/replicated-writes.js';
import type { KeyRing } from './key-ring.js';

export interface UntoldSecretParts {
  readonly queue: Pick<TaskQueue, 'fleet'>;
  readonly keyRing: Pick<KeyRing, 'changed'>;
}

type TakeBack = (store: KeyStore) => Promise<KeyChange>;

/**
 * Makes a secret, which stands in the answer to this call and nowhere else. Where too few replicas have it (REDIS_MIN_REPLICAS) the answer is 503 and has none:
 * then what was written is taken back. A key whose secret nobody has would stay in the list, and count as an admin; and a secret that was replaced would end with
 * the next try.
 * @param work is given what to call when the secret is written, with what takes it back
 * @throws what `work` throws
 */
export async function untoldTakenBack<T>({ queue, keyRing }: UntoldSecretParts, work: (written: (takeBack: TakeBack) => void) => Promise<T>): Promise<T> {
  let takeBack: TakeBack | undefined;
  try {
    return await work((how) => (takeBack = how));
  } catch (error) {
    if (takeBack !== undefined && error instanceof RequestError && error.cause instanceof NotReplicatedError) await takenBack(takeBack);
    throw error;
  }

  async function takenBack(how: TakeBack): Promise<void> {
    try {
      const outcome = await queue.fleet.withKeys(how);
      if (outcome.kind === 'done') await keyRing.changed(outcome.version);
    } catch {
      // The master has gone since: the key can be deleted by its id.
    }
  }
}
