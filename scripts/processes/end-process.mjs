import { isRunning, signalProcess } from './process-identity.mjs';
import { waitUntil } from './wait-until.mjs';

/**
 * Asks a process to end (SIGTERM) and makes sure that it does (SIGKILL).
 *
 * @param {import('./process-identity.mjs').ProcessRef} ref
 * @param {{graceMs: number}} options
 * @returns {Promise<boolean>} false when it had to be killed
 */
export async function endProcess(ref, { graceMs }) {
  signalProcess(ref, 'SIGTERM');
  if (await waitUntil(() => !isRunning(ref), { withinMs: graceMs, everyMs: 20 })) return true;
  signalProcess(ref, 'SIGKILL');
  await waitUntil(() => !isRunning(ref), { withinMs: 10_000, everyMs: 20 });
  return false;
}

/**
 * The same for a process group: its leader may be gone while others of it live.
 *
 * @param {number} leaderPid
 * @param {{graceMs: number}} options
 */
export async function endGroup(leaderPid, { graceMs }) {
  signalGroup(leaderPid, 'SIGTERM');
  await waitUntil(() => !signalGroup(leaderPid, 0), { withinMs: graceMs });
  signalGroup(leaderPid, 'SIGKILL');
}

/**
 * @param {number} leaderPid
 * @param {NodeJS.Signals | 0} signal 0 only asks
 * @returns {boolean} whether a process of the group is left
 */
function signalGroup(leaderPid, signal) {
  try {
    process.kill(-leaderPid, signal);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH') return false;
    throw error;
  }
}
