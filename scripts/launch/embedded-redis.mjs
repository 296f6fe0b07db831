import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

import { dataDir } from '../install/clone-paths.mjs';
import { isContainerRunning, startRedisContainer, stopContainer } from '../servers/container-redis.mjs';
import { hasDockerEngine } from '../servers/docker-engine.mjs';
import { commandLineOf, isRunning, processRef, workingDirOf } from '../processes/process-identity.mjs';
import { findOrInstallRedis, redisMissing } from '../install/redis-binary.mjs';
import { startRedisOnFreePort, startRedisServer, stopRedisServer } from '../servers/redis-server.mjs';

/**
 * Where the Redis of this clone runs, as .data/redis.lock records it.
 * @typedef {{pid: number, identity: string, port: number} | {container: string, port: number}} RedisRef
 */

/**
 * @typedef {object} EmbeddedRedis
 * @property {number} port
 * @property {string} shown                    for people, e.g. "pid 4711"
 * @property {() => Promise<boolean>} isAlive
 * @property {() => Promise<void>} restart     on the same port and folder, after it died under us
 * @property {() => Promise<void>} stop
 */

const PREFERRED_PORT = 6399;

/** Tasks survive a restart; half-second timers are too coarse for delays (engine-facts: lateness follows hz). */
const SETTINGS = [
  ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
  ...['--hz', '100', '--maxmemory-policy', 'noeviction'],
  // Everything is in the append-only file. Snapshots beside it would only cost forks.
  ...['--save', ''],
];

const INSTEAD = 'Or use a Redis that runs elsewhere:  REDIS_ADDR=host:6379 npm start';

/**
 * The Redis of this clone: the one that is running (its launcher was killed), or a new one. Two servers never share
 * the folder: both would start, and after a restart the acknowledged writes of one are gone without an error. The
 * caller holds the lock on the folder.
 *
 * @param {object} options
 * @param {RedisRef | undefined} options.recorded what the last launcher recorded
 * @param {(ref: RedisRef) => void} options.record
 * @param {AbortSignal} options.signal
 * @returns {Promise<EmbeddedRedis>}
 */
export async function ensureEmbeddedRedis({ recorded, record, signal }) {
  const dir = path.join(dataDir, 'redis');
  mkdirSync(dir, { recursive: true });
  const realDir = realpathSync(dir);

  const running = (await findRecorded(recorded)) ?? findByPidFile(realDir);
  if (running !== null) {
    console.log(`Using the Redis that is still running for this folder (${shownAs(running)}, port ${running.port}).`);
    record(running);
    return 'container' in running ? containerRedis(running, realDir) : processRedis(running, realDir, record);
  }

  const binary = await findOrInstallRedis({ signal });
  if (binary !== null) {
    const ref = await startRedisOnFreePort({
      ...serverOptions(binary, realDir),
      preferredPort: PREFERRED_PORT,
      onSpawn: record,
      signal,
    });
    record(ref);
    return processRedis(ref, realDir, record);
  }
  if (await hasDockerEngine()) {
    const ref = await startContainer(realDir, PREFERRED_PORT, signal);
    record(ref);
    return containerRedis(ref, realDir);
  }
  throw redisMissing(INSTEAD);
}

/**
 * @param {string} binary
 * @param {string} realDir
 */
function serverOptions(binary, realDir) {
  return { binary, dir: realDir, settings: [...SETTINGS, '--pidfile', path.join(realDir, 'redis.pid')] };
}

/**
 * What the last launcher recorded, if that very process or container still runs.
 * @param {RedisRef | undefined} recorded
 * @returns {Promise<RedisRef | null>}
 */
async function findRecorded(recorded) {
  if (recorded === undefined) return null;
  const isAlive = 'container' in recorded ? await isContainerRunning(recorded.container) : isRunning(recorded);
  return isAlive ? recorded : null;
}

/**
 * The lock was deleted or damaged, but Redis notes its pid by itself. It works in its data folder, so a process that got the pid
 * later, or the Redis of another clone, is told apart by that.
 * @param {string} realDir
 * @returns {RedisRef | null}
 */
function findByPidFile(realDir) {
  const pidFile = path.join(realDir, 'redis.pid');
  if (!existsSync(pidFile)) return null;
  const ref = processRef(Number(readFileSync(pidFile, 'utf8').trim()));
  if (ref === null || workingDirOf(ref.pid) !== realDir) return null;
  // Redis shows itself as "redis-server 127.0.0.1:6399".
  const port = /(?:redis|valkey)-server .*?:(\d+)/.exec(commandLineOf(ref.pid))?.[1];
  return port === undefined ? null : { ...ref, port: Number(port) };
}

/** @param {RedisRef} ref */
function shownAs(ref) {
  return 'container' in ref ? `container ${ref.container}` : `pid ${ref.pid}`;
}

/**
 * @param {{pid: number, identity: string, port: number}} first
 * @param {string} realDir
 * @param {(ref: RedisRef) => void} record
 * @returns {EmbeddedRedis}
 */
function processRedis(first, realDir, record) {
  let ref = first;
  return {
    port: first.port,
    get shown() {
      return shownAs(ref);
    },
    isAlive: async () => isRunning(ref),
    restart: async () => {
      const binary = await findOrInstallRedis();
      if (binary === null) throw redisMissing(INSTEAD);
      ref = await startRedisServer({
        ...serverOptions(binary, realDir),
        // The same port: every client knows it by that.
        port: first.port,
        onSpawn: record,
      });
    },
    stop: () => stopRedisServer(ref),
  };
}

/**
 * @param {string} realDir
 * @param {number} port
 * @param {AbortSignal} signal
 */
async function startContainer(realDir, port, signal) {
  const ref = await startRedisContainer({ realDir, preferredPort: port, settings: SETTINGS, signal });
  if (ref === null) throw redisMissing(INSTEAD);
  return ref;
}

/**
 * @param {{container: string, port: number}} ref
 * @param {string} realDir
 * @returns {EmbeddedRedis}
 */
function containerRedis(ref, realDir) {
  return {
    port: ref.port,
    shown: shownAs(ref),
    isAlive: () => isContainerRunning(ref.container),
    restart: async () => {
      await startContainer(realDir, ref.port, AbortSignal.timeout(60_000));
    },
    stop: () => stopContainer(ref.container),
  };
}
