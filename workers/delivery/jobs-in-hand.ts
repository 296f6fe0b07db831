import type { MessageLoad } from './message-load.js';

/**
 * BullMQ starts none of the jobs that it has fetched until it has filled every free slot, one call each. Until then it
 * renews no lock: 100 slots at 500 ms a call are 50 s, and the locks have lapsed. So free slots are offered bit by bit.
 */
export const FETCH_AHEAD = 8;

export interface JobsInHandOptions {
  /** Deliveries of this shard that may be in flight now, >= 1. It changes while the worker runs. */
  readonly concurrency: () => number;
  /** The messages of all shards that are being sent; undefined: their size is no limit. */
  readonly messageLoad: MessageLoad | undefined;
}

/** The jobs that a shard's worker has taken, and whose outcome is not yet recorded; and how many more it may take. */
export class JobsInHand {
  /** The length of their messages, in bytes; 0 where it is no limit. */
  readonly #lengths = new Map<string, number>();

  constructor(private readonly options: JobsInHandOptions) {}

  get size(): number {
    return this.#lengths.size;
  }

  /** How many there may be now. */
  get most(): number {
    const { concurrency, messageLoad } = this.options;
    return Math.min(concurrency(), messageLoad?.mostInHand(this.size) ?? Infinity);
  }

  /** How many slots BullMQ may know of now. */
  get slotsToOffer(): number {
    return Math.min(this.most, this.size + FETCH_AHEAD);
  }

  get hasFreeSlot(): boolean {
    return this.size < this.most;
  }

  /** @param messageLength is asked only where the size of messages is a limit */
  took(jobId: string, messageLength: () => number): void {
    const { messageLoad } = this.options;
    // When its lock has lapsed, this worker may get the same job again.
    this.through(jobId);
    const length = messageLoad === undefined ? 0 : messageLength();
    this.#lengths.set(jobId, length);
    messageLoad?.take(length);
  }

  /** Its outcome is recorded, or is no longer ours to record. It is safe twice. */
  through(jobId: string): void {
    const length = this.#lengths.get(jobId);
    if (length === undefined) return;
    this.#lengths.delete(jobId);
    this.options.messageLoad?.giveBack(length);
  }
}
