import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** Where Homebrew and hand-made installations put programs; a desktop's PATH often lacks them. */
const USUAL_DIRS = ['/opt/homebrew/bin', '/usr/local/bin', '/home/linuxbrew/.linuxbrew/bin', '/usr/bin', '/usr/sbin'];

/**
 * @param {readonly string[]} names in order of preference
 * @returns {string | null} absolute path of the first that exists and may be run
 */
export function findProgram(...names) {
  const dirs = [...(process.env.PATH ?? '').split(path.delimiter).filter((dir) => dir !== ''), ...USUAL_DIRS];
  for (const name of names) {
    for (const dir of dirs) {
      const candidate = path.resolve(dir, name);
      if (isProgram(candidate)) return candidate;
    }
  }
  return null;
}

/** @param {string} file */
export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Not there, or not ours to run: both mean "look on".
    return false;
  }
}
