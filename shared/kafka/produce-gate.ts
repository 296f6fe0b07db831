/** One batch on its way to a socket. */
export interface Departure {
  /** It was written to a socket, so the broker may have it. */
  hasLeft: boolean;
}

/**
 * Knows which batches were written to a socket, and keeps those in that were given up before. kafkajs may hold a batch back
 * for long: while it connects to the leader, while it logs in, or while the broker throttles us.
 *
 * kafkajs writes the batches of one partition in the order in which it got them.
 */
export class ProduceGate {
  /** Batches that have not left, by partition, oldest first. */
  readonly #waiting = new Map<number, Departure[]>();
  readonly #shut = new Set<number>();
  /** How many batches have entered and not ended, by partition. */
  readonly #underWay = new Map<number, number>();

  /** To be called before a batch is handed to kafkajs. `end` has to follow. */
  enter(partition: number): Departure {
    const departure = { hasLeft: false };
    this.#underWay.set(partition, this.underWay(partition) + 1);
    const waiting = this.#waiting.get(partition);
    if (waiting === undefined) this.#waiting.set(partition, [departure]);
    else waiting.push(departure);
    return departure;
  }

  /** kafkajs writes the next batch of this partition. @returns false: it must not */
  mayLeave(partition: number): boolean {
    if (this.#shut.has(partition)) return false;
    const departure = this.#waiting.get(partition)?.shift();
    if (departure !== undefined) departure.hasLeft = true;
    return true;
  }

  /** kafkajs has no more to do with the batch. */
  end(partition: number, departure: Departure): void {
    this.#underWay.set(partition, this.underWay(partition) - 1);
    if (departure.hasLeft) return;
    const waiting = this.#waiting.get(partition);
    waiting?.splice(waiting.indexOf(departure), 1);
  }

  underWay(partition: number): number {
    return this.#underWay.get(partition) ?? 0;
  }

  /** Nothing more leaves for this partition: kafkajs still holds a batch that was given up. */
  shut(partition: number): void {
    this.#shut.add(partition);
  }

  isShut(partition: number): boolean {
    return this.#shut.size > 0 && this.#shut.has(partition);
  }
}
