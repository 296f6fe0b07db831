import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import type { RedisAddress } from './redis.js';

/** A way to a server that delays what goes through it, and can cut all its connections, or forget them. */
export class SlowLink {
  readonly #sockets = new Set<Socket>();
  readonly #forgotten = new WeakSet<Socket>();
  readonly #server = createServer((near) => this.#join(near));
  /** Of each chunk, each way, in milliseconds. Infinity: none arrives, on new connections neither; `cut` them behind it. */
  delayMs = 0;
  /** The next connection whose client sends this is reset, and what it has sent does not arrive. undefined: none, or it has been. */
  cutAt: string | undefined;

  private constructor(private target: RedisAddress) {}

  static async to(target: RedisAddress): Promise<SlowLink> {
    const link = new SlowLink(target);
    await new Promise<void>((resolve, reject) => {
      link.#server.once('error', reject);
      link.#server.listen(0, '127.0.0.1', resolve);
    });
    return link;
  }

  get address(): RedisAddress {
    const { port } = this.#server.address() as AddressInfo; // a listening TCP server has no other kind of address
    return { host: '127.0.0.1', port };
  }

  /** Where new connections go from now on; those that are there stay. */
  leadTo(target: RedisAddress): void {
    this.target = target;
  }

  /** RST to both ends of every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /**
   * Nothing that its connections send arrives any more, and neither side is told, as when a firewall has lost its table, or
   * a host its power. New connections are as good as ever.
   */
  forget(): void {
    for (const socket of this.#sockets) this.#forgotten.add(socket);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect(this.target.port, this.target.host);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined); // cut on purpose
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (chunk) => {
        if (this.delayMs === Infinity) return;
        if (from === near && this.cutAt !== undefined && chunk.includes(this.cutAt)) {
          this.cutAt = undefined;
          near.resetAndDestroy();
          return;
        }
        // Timers of one length fire in order: no chunk overtakes another.
        setTimeout(() => {
          if (!this.#forgotten.has(from)) to.write(chunk);
        }, this.delayMs);
      });
    }
  }
}
