import path from 'node:path';

import { cacheDir } from './clone-paths.mjs';
import { acquireLock } from '../processes/held-lock.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/** A first `npm ci` plus a browser from a slow mirror; longer means stuck. */
const LONGEST_SETUP_MS = 20 * 60_000;

/**
 * What installs, builds or downloads the same thing into this clone runs one at a time: `npm start` and `npm test`
 * started together must not delete node_modules under each other.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {{of?: string, signal?: AbortSignal}} [options]  of: names the thing; by default the dependencies and the built code
 * @returns {Promise<T>}
 */
export async function withSetupLock(work, { of = 'setup', signal } = {}) {
  let hasToldWhy = false;
  const lock = await waitUntil(
    async () => {
      const answer = await acquireLock(path.join(cacheDir, `${of}.lock`), {});
      if ('lock' in answer) return answer.lock;
      if (!hasToldWhy) console.log(`Waiting for another set-up in this folder to finish (pid ${answer.heldBy.holder.pid}) …`);
      hasToldWhy = true;
      return null;
    },
    { withinMs: LONGEST_SETUP_MS, everyMs: 200, signal },
  );
  if (lock === null) throw new SetupError(`Another set-up in this folder has not finished for 20 minutes; see .cache/${of}.lock for its pid.`);
  try {
    return await work();
  } finally {
    lock.release();
  }
}
