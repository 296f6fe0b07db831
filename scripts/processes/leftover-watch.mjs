import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { endGroup, endProcess } from './end-process.mjs';
import { isRunning } from './process-identity.mjs';

/** @typedef {import('./process-identity.mjs').ProcessRef} ProcessRef */

/** @typedef {{stop: ProcessRef} | {stopGroup: ProcessRef} | {remove: string}} Leftover  stopGroup: with all its group */

/**
 * Starts a small process that is told what to end, and does it when its standard input closes: also when this process is killed
 * with -9 (a CI's time limit, an editor's stop button).
 *
 * @returns {{add: (leftover: Leftover) => void, cleanUp: () => Promise<void>}} cleanUp ends the processes, last one
 *   first, then removes the folders, and returns when that is done
 */
export function watchLeftovers() {
  const watcher = spawn(process.execPath, [import.meta.filename], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] });
  const isDone = new Promise((resolve) => watcher.once('exit', resolve));
  return {
    add: (leftover) => void watcher.stdin.write(`${JSON.stringify(leftover)}\n`),
    cleanUp: async () => {
      watcher.stdin.end();
      await isDone;
    },
  };
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === import.meta.filename) {
  /** @type {Leftover[]} */
  const leftovers = [];
  for await (const line of createInterface({ input: process.stdin })) leftovers.unshift(JSON.parse(line));
  for (const leftover of leftovers) {
    if ('stop' in leftover) await endProcess(leftover.stop, { graceMs: 10_000 });
    // Only behind a living leader: the number of an empty group may belong to another one by now.
    if ('stopGroup' in leftover && isRunning(leftover.stopGroup)) await endGroup(leftover.stopGroup.pid, { graceMs: 15_000 });
  }
  for (const leftover of leftovers) if ('remove' in leftover) rmSync(leftover.remove, { recursive: true, force: true });
}
