import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { killWithUs } from '../../support/kill-with-us.js';
import type { Measured, ToInnocents } from './innocents.js';

/** The process of innocents.ts. */
export class InnocentCrowd {
  private constructor(private readonly child: ChildProcess) {}

  static async start(clients: number, requestsPerSecond: number): Promise<InnocentCrowd> {
    const file = fileURLToPath(new URL('innocents.ts', import.meta.url));
    const child = fork(file, [String(clients), String(requestsPerSecond)], { execArgv: ['--import=tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    killWithUs(child);
    const crowd = new InnocentCrowd(child);
    await crowd.#hears('ready');
    return crowd;
  }

  /** From now on they ask this API. */
  aimAt(port: number): void {
    this.#tell({ aimAt: port });
  }

  /** Counts what is begun in the next `forMs`, and waits for all that follows from it. */
  async measure(forMs: number): Promise<Measured> {
    const measured = this.#hears('measured');
    this.#tell({ measureForMs: forMs });
    // innocents.ts is the only sender.
    return (await measured) as Measured;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    await ended;
  }

  #tell(message: ToInnocents): void {
    this.child.send(message);
  }

  #hears(key: 'ready' | 'measured'): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const hear = (message: object): void => {
        if (!(key in message)) return;
        stop();
        resolve((message as Record<string, unknown>)[key]);
      };
      const fail = (): void => {
        stop();
        reject(new Error('the process of the innocents has ended'));
      };
      const stop = (): void => {
        this.child.off('message', hear);
        this.child.off('exit', fail);
      };
      this.child.on('message', hear);
      this.child.once('exit', fail);
    });
  }
}
