import { spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { isRunning, processRef, signalProcess } from '../processes/process-identity.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/** @typedef {import('../processes/process-identity.mjs').ProcessRef} ProcessRef */

/** sysexits.h EX_CONFIG: starting again with the same settings cannot help. */
const EXIT_CONFIG = 78;

const FIRST_RESTART_DELAY_MS = 1_000;
const LONGEST_RESTART_DELAY_MS = 30_000;
/** One that lived this long did not die of its start: the next restart is quick again. */
const HEALTHY_AFTER_MS = 60_000;

/**
 * @typedef {object} SupervisedProcess
 * @property {string} name
 * @property {() => ProcessRef | null} ref                 the living process, null between two lives
 * @property {() => void} tellToStop                        one SIGTERM; told again, it exits at once
 * @property {(graceMs: number) => Promise<void>} ended     SIGKILL after the grace
 */

/**
 * Starts a built program and keeps it running.
 *
 * @param {object} options
 * @param {string} options.name            for our lines and its own, e.g. "worker 2": its first argument
 * @param {string} options.program         path of the built main.js
 * @param {string[]} options.flags          options for Node
 * @param {NodeJS.ProcessEnv} options.env
 * @param {() => void} options.onLivesChanged  a process started or ended: the record of pids is out of date
 * @param {(code: number) => boolean} options.isFatal  whether this exit should end everything
 * @param {(code: number) => void} options.onFatal
 * @returns {SupervisedProcess}
 */
export function superviseProcess({ name, program, flags, env, onLivesChanged, isFatal, onFatal }) {
  /** @type {ProcessRef | null} */
  let ref = null;
  let isStopping = false;
  let delayMs = FIRST_RESTART_DELAY_MS;
  /** @type {NodeJS.Timeout | undefined} */
  let restart;

  const start = () => {
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      ['--enable-source-maps', ...flags, '--import', pathToFileURL(path.join(import.meta.dirname, 'follow-launcher.mjs')).href, program, name],
      {
        env,
        // A group of its own: Ctrl-C reaches the launcher only, which then tells each child once. Told twice, by the
        // terminal and by us, they would exit without draining.
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    ref = processRef(child.pid);
    onLivesChanged();
    child.once('error', (error) => console.error(`${name}: ${error.message}`));
    child.once('exit', (code, killedBy) => {
      ref = null;
      onLivesChanged();
      if (isStopping) return;
      const exitCode = code ?? 1;
      if (exitCode === EXIT_CONFIG || isFatal(exitCode)) return onFatal(exitCode);
      if (performance.now() - startedAt > HEALTHY_AFTER_MS) delayMs = FIRST_RESTART_DELAY_MS;
      console.error(`${name} died (${killedBy ?? `exit code ${code}`}); starting it again in ${delayMs / 1_000} s`);
      restart = setTimeout(start, delayMs);
      delayMs = Math.min(delayMs * 2, LONGEST_RESTART_DELAY_MS);
    });
  };
  start();

  return {
    name,
    ref: () => ref,
    tellToStop: () => {
      isStopping = true;
      clearTimeout(restart);
      if (ref !== null) signalProcess(ref, 'SIGTERM');
    },
    ended: async (graceMs) => {
      if (await waitUntil(() => ref === null, { withinMs: graceMs })) return;
      const stuck = /** @type {ProcessRef | null} */ (ref);
      if (stuck === null) return;
      console.error(`${name} (pid ${stuck.pid}) did not stop within ${graceMs / 1_000} s and was killed; its tasks resume with the next start.`);
      signalProcess(stuck, 'SIGKILL');
      await waitUntil(() => !isRunning(stuck), { withinMs: 10_000 });
    },
  };
}
