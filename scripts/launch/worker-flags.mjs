import { readFileSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * Node's options for a worker, as `npm run worker` in package.json has them. --max-semi-space-size (MiB): with Node's 16,
 * half of the tasks in flight outlive a collection of the young generation, and each one is copied. --require: see
 * workers/thread-pool.cts; its path is relative to the clone there, and absolute here.
 *
 * @type {string[]}
 */
export const workerFlags = manifest.scripts.worker.split(' ')
  .filter((/** @type {string} */ word) => word.startsWith('--'))
  .map((/** @type {string} */ flag) => flag.replace(/^--require=\.\//, `--require=${cloneDir}${path.sep}`));
