import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * Node's options for a worker, as `npm run worker` in package.json has them. --max-semi-space-size (MiB): with Node's 16,
 * half of the tasks in flight outlive a collection of the young generation, and each one is copied.
 *
 * @type {string[]}
 */
export const workerFlags = manifest.scripts.worker.split(' ').filter((/** @type {string} */ word) => word.startsWith('--'));
