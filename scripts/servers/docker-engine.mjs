import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { findProgram } from '../install/find-program.mjs';

const execFileAsync = promisify(execFile);

/** @returns {Promise<boolean>} whether there is a docker command with an engine behind it */
export async function hasDockerEngine() {
  return findProgram('docker') !== null && (await docker('version', '--format', '{{.Server.Version}}')) !== null;
}

/**
 * @param {...string} args
 * @returns {Promise<string | null>} what it printed, or null when it failed
 */
export async function docker(...args) {
  const binary = findProgram('docker');
  if (binary === null) return null;
  try {
    // Pulling an image on a slow line takes minutes; an engine that hangs must not hang us for ever.
    const { stdout } = await execFileAsync(binary, args, { timeout: 10 * 60_000 });
    return stdout.trim();
  } catch (error) {
    if (args[0] === 'run') console.error(error instanceof Error ? error.message : error);
    return null;
  }
}
