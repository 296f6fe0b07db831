import type { Redis } from 'ioredis';
import { AlignedInterval } from '../lifecycle/aligned-timer.js';

const TICK_MS = 1_000;
/** Right after a failover an old master is a replica, and the next connection may lead to the new one. As READONLY counts: see redis-error.ts. */
const LASTS_MS = 5_000;

/**
 * Looks whether a connection leads to a replica: with each connection, since a READONLY makes it anew, and each second while it does. It
 * takes no writes, and says so only to those who write.
 */
export class ReplicaWatch {
  readonly #timer: AlignedInterval;
  #since: number | undefined;
  #master = '';
  #isAsking = false;

  /** @param onReplica called each second while it lasts, with the fault in words */
  constructor(
    private readonly redis: Redis,
    private readonly onReplica: (fault: string) => void,
  ) {
    this.#timer = new AlignedInterval(TICK_MS, () => {
      if (this.#since !== undefined) this.look();
    });
  }

  /** Call it when a connection is ready. */
  look(): void {
    void this.#ask();
  }

  /** In words, of the server: `is a replica of 10.0.0.1:6379, ...`. undefined: it is none, or has not been for long. */
  get fault(): string | undefined {
    if (this.#since === undefined || performance.now() - this.#since < LASTS_MS) return undefined;
    return `is a replica of ${this.#master}, and takes no writes (READONLY): name the master in REDIS_ADDR, or promote this one (REPLICAOF NO ONE)`;
  }

  close(): void {
    this.#timer.stop();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || this.redis.status !== 'ready') return;
    this.#isAsking = true;
    // What INFO does not tell is told by the writes that are refused.
    const info = await this.redis.info('replication').catch(() => undefined);
    this.#isAsking = false;
    if (info === undefined) return;
    const isReplica = /^role:slave/m.test(info) && !/^slave_read_only:0/m.test(info);
    this.#since = isReplica ? (this.#since ?? performance.now()) : undefined;
    this.#master = `${field(info, 'master_host')}:${field(info, 'master_port')}`;
    if (this.fault !== undefined) this.onReplica(this.fault);
  }
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '?';
}
