import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { RequestError } from '../../shared/domain/errors.js';

/** The default of HTTP_MAX_ANSWER_MEMORY. */
const USUAL_BYTES = 64 * 1_048_576;
const LOOK_EVERY_MS = 50;
const ROOM_WITHIN_MS = 4_000;

/**
 * Bounds the memory for answers that are far larger than their requests. A client can ask for one with 100 bytes, and leave
 * it unread. So there has to be room before one is made. While there is none, those that are not read are cut off sooner
 * (connections.ts).
 */
export class LargeAnswers {
  /** Those that are being made, or are not read to their end. */
  readonly #open = new Set<ServerResponse>();
  readonly #maxBytes: number;
  #waiting = 0;

  /**
   * @param largestBytes the largest answer of this deployment: one of them has to fit
   * @param bytes        of large answers in memory, over all connections: those that are being made, and those that are not read yet
   */
  constructor(
    private readonly largestBytes: number,
    bytes = USUAL_BYTES,
  ) {
    this.#maxBytes = Math.max(bytes, largestBytes);
  }

  /** An answer waits for room. */
  get areTooMany(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Waits until the answer may be made. Its room is given back when it is read to its end, or its connection has gone.
   * @throws RequestError overloaded, when there is no room in time; also for a client that has gone
   */
  async whenRoom(response: ServerResponse): Promise<void> {
    if (!this.#hasRoom) await this.#wait(response);
    if (response.destroyed || !this.#hasRoom) throw new RequestError('overloaded', 'too many large answers are being made, or are not read by their clients', undefined, { notes: { limit: 'HTTP_MAX_ANSWER_MEMORY' } });
    this.#open.add(response);
    response.once('close', () => this.#open.delete(response));
  }

  get #hasRoom(): boolean {
    let bytes = this.largestBytes;
    for (const response of this.#open) bytes += response.headersSent ? (response.socket?.writableLength ?? 0) : this.largestBytes;
    return bytes <= this.#maxBytes;
  }

  async #wait(response: ServerResponse): Promise<void> {
    this.#waiting += 1;
    for (const until = performance.now() + ROOM_WITHIN_MS; performance.now() < until && !response.destroyed && !this.#hasRoom; ) await wait(LOOK_EVERY_MS);
    this.#waiting -= 1;
  }
}
