import path from 'node:path';

import { dataDir } from '../install/clone-paths.mjs';
import { acquireLock } from '../processes/held-lock.mjs';
import { SetupError } from '../processes/setup-error.mjs';

/**
 * .data/redis.lock: who runs in this folder. `holder` (the launcher) is added by held-lock.mjs.
 * @typedef {object} LauncherRecord
 * @property {import('./embedded-redis.mjs').RedisRef} [redis]
 * @property {({name: string} & import('../processes/process-identity.mjs').ProcessRef)[]} [processes]
 * @property {string} [baseUrl]
 */

/**
 * @returns {Promise<import('../processes/held-lock.mjs').HeldLock<LauncherRecord>>}
 * @throws {SetupError} naming the launcher that is alive
 */
export async function lockDataDir() {
  /** @type {LauncherRecord} */
  const nothing = {};
  // A dead launcher's Redis and processes stay on record until they are seen to.
  const answer = await acquireLock(path.join(dataDir, 'redis.lock'), nothing, (left) => left);
  if ('lock' in answer) return answer.lock;
  const { holder, baseUrl, redis } = answer.heldBy;
  throw new SetupError(
    [
      `The service is already running in this folder: pid ${holder.pid}${baseUrl === undefined ? '' : `, API at ${baseUrl}`}.`,
      ...(redis === undefined ? [] : [`One more worker for it:  REDIS_ADDR=127.0.0.1:${redis.port} npm run worker`]),
      `Stop the running one:    Ctrl-C in its terminal, or: kill ${holder.pid}`,
      'A second one beside it:  another clone and another HTTP_PORT',
    ].join('\n'),
  );
}
