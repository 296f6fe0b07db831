/** A body that takes of the budget has to bring its part within this time. */
const JUDGED_AFTER_MS = 10_000;
/** A whole request has HTTP_REQUEST_TIMEOUT, 300 s. The part of 10 s is what a steady client brings in them. */
const PARTS = 30;

/**
 * Judges how fast a large body comes. Without it, seven uploads of 31 MiB that stop before their last byte would hold the
 * budget for bodies for five minutes, and no other client could upload.
 *
 * A body has to bring a thirtieth of the bytes that it holds within 10 s. A client that sends steadily, and is done within
 * the 300 s of a request, is always faster than that. Bodies that take nothing of the budget, 64 KiB at most, may be slow.
 */
export class UploadPace {
  #since = 0;
  #bytes = 0;
  #isWatched = false;

  /**
   * Looks at a body that is not whole yet.
   * @param heldBytes     what it takes of the budget; 0: its pace does not matter now, or the delay is ours
   * @param receivedBytes on its connection so far
   * @param now           monotonic ms
   * @returns true when it comes too slowly
   */
  isTooSlow(heldBytes: number, receivedBytes: number, now: number): boolean {
    const isDone = receivedBytes - this.#bytes >= heldBytes / PARTS;
    if (heldBytes > 0 && this.#isWatched && !isDone) return now - this.#since >= JUDGED_AFTER_MS;
    this.#isWatched = heldBytes > 0;
    this.#since = now;
    this.#bytes = receivedBytes;
    return false;
  }
}
