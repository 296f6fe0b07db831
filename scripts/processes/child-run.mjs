import { spawn } from 'node:child_process';

import { endGroup } from './end-process.mjs';
import { processRef } from './process-identity.mjs';
import { waitUntil } from './wait-until.mjs';

const STOP_GRACE_MS = 10_000;

/**
 * Runs a program to its end in a group of its own: an interruption reaches it once, and whatever it leaves behind
 * can be ended with it.
 *
 * @param {readonly string[]} args for this Node
 * @param {object} options
 * @param {string} options.cwd
 * @param {NodeJS.ProcessEnv} options.env
 * @param {(ref: import('./process-identity.mjs').ProcessRef) => void} options.onSpawn
 * @param {AbortSignal} options.signal    sends SIGINT; after 10 s SIGTERM, then SIGKILL, to the whole group
 * @param {number | 'inherit'} [options.output]  what it writes goes to this open file; without it, to the terminal
 * @param {(child: import('node:child_process').ChildProcess) => void} [options.talk]  gets it with a channel for messages to and from it
 * @returns {Promise<{code: number, killedBy: NodeJS.Signals | null}>}
 */
export async function runToEnd(args, { cwd, env, onSpawn, signal, output = 'inherit', talk }) {
  const child = spawn(process.execPath, args, { cwd, env, detached: true, stdio: ['ignore', output, output, ...(talk === undefined ? [] : [/** @type {const} */ ('ipc')])] });
  const ref = processRef(child.pid);
  if (ref !== null) onSpawn(ref);
  talk?.(child);
  /** @type {{code: number, killedBy: NodeJS.Signals | null} | null} */
  let ending = null;
  child.once('error', (error) => {
    console.error(error.message);
    ending = { code: 1, killedBy: null };
  });
  child.once('exit', (code, killedBy) => (ending = { code: code ?? 1, killedBy }));

  const hasEnded = () => ending;
  const untilAborted = await waitUntil(hasEnded, { withinMs: Infinity, signal }).catch(() => null);
  if (untilAborted !== null) return untilAborted;
  child.kill('SIGINT');
  const inGrace = await waitUntil(hasEnded, { withinMs: STOP_GRACE_MS });
  // Its own children too: a browser, a service under test.
  if (child.pid !== undefined) await endGroup(child.pid, { graceMs: STOP_GRACE_MS });
  return inGrace ?? ending ?? { code: 1, killedBy: 'SIGKILL' };
}
