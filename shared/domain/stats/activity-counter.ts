import { lateField, type ActivityField, type ActivityName } from './activity.js';
import { latenessBucket } from './lateness.js';

/**
 * Counts what this process does, until activity-writer.ts takes it. It is called for every task, so it only adds numbers.
 */
export class ActivityCounter {
  readonly #counts: Record<ActivityName, number> = { created: 0, delivered: 0, failed: 0, deadLettered: 0 };
  #late: number[] = [];

  /** @param names those that this process records, zeros too: a missing one means that no process was there to count */
  constructor(private readonly names: readonly ActivityName[]) {}

  count(name: ActivityName): void {
    this.#counts[name] += 1;
  }

  /** @param lateMs start of a send minus its due time, ms */
  countSend(lateMs: number): void {
    const bucket = latenessBucket(lateMs);
    this.#late[bucket] = (this.#late[bucket] ?? 0) + 1;
  }

  /** What has been counted since the last call. */
  take(): ActivityField[] {
    const fields: ActivityField[] = this.names.map((name) => [name, this.#counts[name]] as const);
    for (const name of this.names) this.#counts[name] = 0;
    const late = this.#late;
    this.#late = [];
    // forEach skips the buckets that were never set.
    late.forEach((count, bucket) => fields.push([lateField(bucket), count]));
    return fields;
  }
}
