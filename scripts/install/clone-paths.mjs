import { realpathSync } from 'node:fs';
import path from 'node:path';

/** Root of this clone, links resolved: two ways to write one folder must not look like two clones. */
export const cloneDir = realpathSync(path.resolve(import.meta.dirname, '..', '..'));

/** Downloads and set-up locks; outside git, safe to delete when nothing runs. */
export const cacheDir = path.join(cloneDir, '.cache');

/** What `npm start` keeps between starts: the tasks. */
export const dataDir = path.join(cloneDir, '.data');
