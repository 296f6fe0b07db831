import { Redis } from 'ioredis';

import type { PrivateRedis } from '../support/redis.js';

const LOOK_EVERY_MS = 100;

/** Sees from outside when each slot is served: some node takes a write to a key of it. */
export class ServedSlots {
  readonly #clients: readonly Redis[];
  readonly #timer: NodeJS.Timeout;
  /** Those that are served. */
  readonly #since = new Map<string, number>();
  readonly #looking = new Set<string>();

  /** @param keys one of each slot that is looked at; they are never there */
  constructor(nodes: readonly PrivateRedis[], private readonly keys: readonly string[]) {
    this.#clients = nodes.map((node) => {
      const client = new Redis({ ...node.clientOptions, enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 200, socketTimeout: 400, retryStrategy: () => 50, enableReadyCheck: false });
      client.on('error', () => undefined); // nodes are killed and frozen on purpose
      return client;
    });
    this.#timer = setInterval(() => void Promise.all(keys.map((key) => this.#look(key))), LOOK_EVERY_MS);
  }

  /** Whether all are served now. */
  get areAll(): boolean {
    return this.keys.every((key) => this.#since.has(key));
  }

  /** Since when a slot has been served without a break, ms since the epoch. */
  since(key: string): number {
    return this.#since.get(key) ?? 0;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const client of this.#clients) client.disconnect();
  }

  async #look(key: string): Promise<void> {
    // An answer that is late must not undo a newer one.
    if (this.#looking.has(key)) return;
    this.#looking.add(key);
    const answers = await Promise.all(this.#clients.map((client) => client.del(key).then(() => true, () => false)));
    this.#looking.delete(key);
    if (!answers.includes(true)) this.#since.delete(key);
    else if (!this.#since.has(key)) this.#since.set(key, Date.now());
  }
}
