/**
 * The messages that a process holds while they are sent, all shards together. A thousand messages of 1 KB are nothing, and a
 * thousand of 1 MiB end the process, so the number of slots alone is no limit.
 */
export class MessageLoad {
  #held = 0;

  /** @param most characters of messages that may be held */
  constructor(private readonly most: number) {}

  take(characters: number): void {
    this.#held += characters;
  }

  giveBack(characters: number): void {
    this.#held -= characters;
  }

  /**
   * How many jobs a shard may have in hand because of their messages.
   * @param inHand jobs that it has in hand now
   * @returns at least 1; Infinity while there is room
   */
  mostInHand(inHand: number): number {
    if (this.#held < this.most) return Infinity;
    // Of equally large messages so many have room. Ends are not followed by the next job until no more are in hand.
    return Math.max(1, Math.floor((inHand * this.most) / this.#held));
  }
}
