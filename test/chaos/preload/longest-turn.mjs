// Loaded into an API or a worker by NODE_OPTIONS: finds the longest turn of its event loop, in CPU time of the main
// thread, and writes it to the file `<pid>.json` in TURNS_FOLDER when a test asks with SIGUSR2. Each question begins anew.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** Two looks at the clock are that far apart on an idle loop, so a turn looks longer by up to that. */
const EVERY_MS = 5;

if (isMainThread && process.env.TURNS_FOLDER !== undefined) {
  const file = path.join(process.env.TURNS_FOLDER, `${process.pid}.json`);
  const ofMainThread = openMainThread();
  const text = Buffer.alloc(64);
  let asked = 0;
  let startedMs = cpuMs();
  let lastMs = startedMs;
  let longestMs = 0;

  function cpuMs() {
    // All threads together, so concurrent garbage collection is in it. The kernel also brings the counter of this thread up to date.
    const { user, system } = process.cpuUsage();
    if (ofMainThread === undefined) return (user + system) / 1_000;
    const end = readSync(ofMainThread, text, 0, text.length, 0);
    return Number.parseInt(text.toString('latin1', 0, end), 10) / 1e6;
  }

  function look() {
    const now = cpuMs();
    longestMs = Math.max(longestMs, now - lastMs);
    lastMs = now;
  }

  setInterval(look, EVERY_MS).unref();
  process.on('SIGUSR2', () => {
    look(); // the turn that has just ended is not in it yet
    asked += 1;
    writeFileSync(`${file}.new`, JSON.stringify({ asked, longestMs, cpuMs: lastMs - startedMs }));
    renameSync(`${file}.new`, file);
    startedMs = cpuMs();
    lastMs = startedMs;
    longestMs = 0;
  });
}

/** CPU time of the main thread in nanoseconds is the first number there. Not every kernel has the file. */
function openMainThread() {
  try {
    return openSync('/proc/self/schedstat', 'r');
  } catch {
    return undefined;
  }
}
