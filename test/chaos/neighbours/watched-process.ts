import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { eventually } from '../../support/eventually.js';
import type { ServiceProcess, Settings } from '../../support/service.js';

/** What a process was like since the last look. */
export interface Sighting {
  /** The longest turn of its event loop, ms of CPU of its main thread; it may be shown up to 10 ms too long. */
  readonly longestTurnMs: number;
  /** All CPU of its main thread. */
  readonly cpuMs: number;
  readonly peakMiB: number;
}

/** To be given to the processes that are watched. @param folder of the test's own */
export function watchedIn(folder: string): Settings {
  return { TURNS_FOLDER: folder, NODE_OPTIONS: `--import=${new URL('../preload/longest-turn.mjs', import.meta.url).href}` };
}

/** Looks from outside at a process that was started with `watchedIn`. */
export class WatchedProcess {
  #asked = 0;

  constructor(
    readonly process: ServiceProcess,
    private readonly folder: string,
  ) {}

  /** What it was like since the last call, or since it was started. */
  async look(): Promise<Sighting> {
    const { pid } = this.process;
    this.#asked += 1;
    process.kill(pid, 'SIGUSR2');
    const { longestMs, cpuMs } = await eventually(() => {
      // Written by longest-turn.mjs.
      const turns = JSON.parse(readFileSync(path.join(this.folder, `${pid}.json`), 'utf8')) as { asked: number; longestMs: number; cpuMs: number };
      if (turns.asked !== this.#asked) throw new Error(`process ${pid} has not answered yet`);
      return turns;
    }, { withinMs: 20_000 });
    const peakMiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
    writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the peak begins anew
    return { longestTurnMs: longestMs, cpuMs, peakMiB };
  }
}
