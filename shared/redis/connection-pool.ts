import type { Redis } from 'ioredis';

interface Waiting {
  readonly take: (connection: Redis) => void;
  readonly refuse: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** No connection of the pool can be used now, or none was free in time. */
class NoFreeConnectionError extends Error {
  override readonly name = 'NoFreeConnectionError';
}

/** Connections to one server, each for one caller at a time: what blocks on one holds up nothing else. */
export class ConnectionPool {
  readonly #all: readonly Redis[];
  readonly #free = new Set<Redis>();
  readonly #taken = new Set<Redis>();
  readonly #waiting = new Set<Waiting>();
  #wasReady = false;

  /**
   * @param open       makes a connection that connects again by itself until it is disconnected
   * @param isServerUp while it is, connections that were closed come back soon: Redis closes idle ones (`timeout`)
   */
  constructor(size: number, open: () => Redis, private readonly isServerUp: () => boolean) {
    this.#all = Array.from({ length: size }, () => {
      const connection = open();
      // What is sent on it fails, too.
      connection.on('error', () => undefined);
      connection.on('ready', () => {
        this.#wasReady = true;
        if (!this.#taken.has(connection)) this.#giveOn(connection);
      });
      connection.on('close', () => this.#free.delete(connection));
      return connection;
    });
  }

  /**
   * Lends a connection. It waits for the first ones to be made, and for one that is in use.
   * @param until by the monotonic clock, ms
   * @throws NoFreeConnectionError, and what `work` throws
   */
  async use<T>(until: number, work: (connection: Redis) => Promise<T>): Promise<T> {
    const connection = await this.#take(until);
    try {
      return await work(connection);
    } finally {
      this.#taken.delete(connection);
      if (connection.status === 'ready') this.#giveOn(connection);
    }
  }

  close(): void {
    for (const { refuse, timer } of this.#waiting) {
      clearTimeout(timer);
      refuse(new NoFreeConnectionError('Connection is closed.'));
    }
    this.#waiting.clear();
    for (const connection of this.#all) connection.disconnect();
  }

  #take(until: number): Promise<Redis> {
    const [free] = this.#free;
    if (free !== undefined) {
      this.#free.delete(free);
      // At once: whoever comes in the same turn has to see that there is one to wait for.
      this.#taken.add(free);
      return Promise.resolve(free);
    }
    // The server is away: that is told at once.
    if (this.#wasReady && this.#taken.size === 0 && !this.isServerUp()) return Promise.reject(new NoFreeConnectionError('Connection is closed.'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new NoFreeConnectionError('no connection was free in time'));
      }, Math.max(0, until - performance.now()));
      const waiting = { take: resolve, refuse: reject, timer };
      this.#waiting.add(waiting);
    });
  }

  #giveOn(connection: Redis): void {
    const [waiting] = this.#waiting;
    if (waiting === undefined) {
      this.#free.add(connection);
      return;
    }
    this.#waiting.delete(waiting);
    clearTimeout(waiting.timer);
    this.#taken.add(connection);
    waiting.take(connection);
  }
}
