import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

import { eventually } from './eventually.js';

/**
 * SIGSTOP, and waits until each thread of the process has stopped. The signal alone returns sooner: on a second core a
 * broker still takes and answers what arrives within the next milliseconds.
 *
 * Where there is no /proc (macOS) it cannot be seen, and the signal has to do.
 */
export async function freezeProcess(pid: number | undefined): Promise<void> {
  if (pid === undefined) throw new Error('the process to freeze is not running');
  process.kill(pid, 'SIGSTOP');
  if (!existsSync(`/proc/${pid}/task`)) return;
  await eventually(async () => {
    const states = await threadStates(pid);
    if (states.some((state) => state !== 'T')) throw new Error(`threads of ${pid} are in the states ${states.join(' ')}`);
  });
}

/** One letter for each thread; T is stopped. */
async function threadStates(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')));
  // The name before it is in brackets and may hold anything.
  return stats.map((stat) => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
}
