import { readFileSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * Node's options for each program, as `npm run server` and `npm run worker` in package.json have them. --max-semi-space-size (MiB): with
 * Node's 16, much of what is under way outlives a collection of the young generation, and is copied. --require: see
 * workers/thread-pool.cts; its path is relative to the clone there, and absolute here.
 */
export const nodeFlags = { server: flagsOf('server'), worker: flagsOf('worker') };

/**
 * @param {'server' | 'worker'} script of package.json
 * @returns {string[]}
 */
function flagsOf(script) {
  return manifest.scripts[script].split(' ')
    .filter((/** @type {string} */ word) => word.startsWith('--'))
    .map((/** @type {string} */ flag) => flag.replace(/^--require=\.\//, `--require=${cloneDir}${path.sep}`));
}
