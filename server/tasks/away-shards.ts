import type { RequestError } from '../../shared/domain/errors.js';

/**
 * After a failure of Redis, the next tasks of a batch for the same shard are refused without being tried for this long, ms. The
 * Retry-After of a 503 gives the same time to senders of one task. After it the upload goes on, if Redis is back.
 */
const ASK_AGAIN_AFTER_MS = 1_000;

/** Shards that did not answer a task of one batch, or refused it. Tasks of other shards are none of their concern. */
export class AwayShards {
  readonly #away = new Map<number, { readonly refusal: RequestError; readonly untilMs: number }>();

  constructor(private readonly shardOf: (taskId: string) => number) {}

  /** @throws RequestError the refusal by the shard of this task, while it is fresh */
  check(taskId: string): void {
    const away = this.#away.get(this.shardOf(taskId));
    if (away !== undefined && performance.now() < away.untilMs) throw away.refusal;
  }

  note(taskId: string, refusal: RequestError): void {
    const shard = this.shardOf(taskId);
    // Tasks that were not sent do not start the time anew, or it would never end.
    if (refusal !== this.#away.get(shard)?.refusal) this.#away.set(shard, { refusal, untilMs: performance.now() + ASK_AGAIN_AFTER_MS });
  }
}
