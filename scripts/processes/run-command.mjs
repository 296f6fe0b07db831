import { spawn } from 'node:child_process';

import { cloneDir } from '../install/clone-paths.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * Runs one command to its end, its output straight to the terminal.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, signal?: AbortSignal, isQuiet?: boolean}} [options] aborting ends the command
 *   (SIGTERM); isQuiet shows its complaints only
 * @throws {SetupError} with the command line when it fails; the signal's reason when aborted
 */
export async function runCommand(command, args, { cwd = cloneDir, env = process.env, signal, isQuiet = false } = {}) {
  signal?.throwIfAborted();
  const shown = [command, ...args].join(' ');
  /** @type {string} */
  const ending = await new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', isQuiet ? 'ignore' : 'inherit', 'inherit'] });
    const end = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', end, { once: true });
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', end);
      resolve(code === 0 ? '' : killedBy === null ? `exit code ${code}` : `killed by ${killedBy}`);
    });
  });
  signal?.throwIfAborted();
  if (ending !== '') throw new SetupError(`This step failed (${ending}; its output stands above):\n  ${shown}`);
}
