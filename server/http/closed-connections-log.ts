import type { Logger } from '../../shared/logging/logger.js';

/** At most one line within this time. */
const LINE_EVERY_MS = 10_000;

/**
 * Why a connection was closed. The first five made room for new ones: it had sent no request; its requests were
 * answered; its client had ended its side; its client sent or read slowly; it was the new one, and no other could go.
 * `unread`: too many answers were waiting to be read.
 */
export type ClosingReason = 'silent' | 'unused' | 'half_closed' | 'slow' | 'refused' | 'unread';

/** Says how many connections were closed, and why, in few lines however many there are. */
export class ClosedConnectionsLog {
  #counts = new Map<ClosingReason, number>();
  #writtenAt = -Infinity;

  /**
   * @param most the limit of connections, for the line
   * @param now  monotonic milliseconds
   */
  constructor(
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly most: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  add(reason: ClosingReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.writeWhenDue();
  }

  /** Writes what was counted since the last line, when that is long enough ago. */
  writeWhenDue(): void {
    if (this.now() - this.#writtenAt >= LINE_EVERY_MS) this.write();
  }

  write(): void {
    if (this.#counts.size === 0) return;
    this.#writtenAt = this.now();
    this.logger.warn('connections were closed: too many (HTTP_MAX_CONNECTIONS), or too many unread answers', { limit: this.most, ...Object.fromEntries(this.#counts) });
    this.#counts = new Map();
  }
}
