import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

import { dataDir } from '../install/clone-paths.mjs';
import { isContainerRunning, startRedisContainer, stopContainer } from '../servers/container-redis.mjs';
import { hasDockerEngine } from '../servers/docker-engine.mjs';
import { commandLineOf, isRunning, processRef } from '../processes/process-identity.mjs';
import { findOrInstallRedis, redisMissing } from '../install/redis-binary.mjs';
import { redisDirAt, startRedisOnFreePort, startRedisServer, stopRedisServer } from '../servers/redis-server.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

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
  // The append-only file is the truth; snapshots beside it would only cost forks.
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

  const running = (await findRecorded(recorded, realDir)) ?? (await findByPidFile(realDir));
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
 * @param {RedisRef | undefined} recorded
 * @param {string} realDir
 * @returns {Promise<RedisRef | null>}
 */
async function findRecorded(recorded, realDir) {
  if (recorded === undefined) return null;
  if ('container' in recorded) return (await isContainerRunning(recorded.container)) ? recorded : null;
  return isRunning(recorded) ? confirmed(recorded, realDir) : null;
}

/**
 * The lock was deleted or damaged, but Redis notes its pid by itself.
 * @param {string} realDir
 * @returns {Promise<RedisRef | null>}
 */
async function findByPidFile(realDir) {
  const pidFile = path.join(realDir, 'redis.pid');
  if (!existsSync(pidFile)) return null;
  const ref = processRef(Number(readFileSync(pidFile, 'utf8').trim()));
  const port = ref === null ? null : portInTitle(commandLineOf(ref.pid));
  // No process, or the pid belongs to something else by now.
  if (ref === null || port === null) return null;
  const dirThere = await redisDirAt(port);
  // Another clone's Redis got the pid.
  if (dirThere !== null && dirThere !== realDir) return null;
  return confirmed({ ...ref, port }, realDir);
}

/** @param {string} commandLine Redis shows itself as "redis-server 127.0.0.1:6399" */
function portInTitle(commandLine) {
  const match = /(?:redis|valkey)-server .*?:(\d+)/.exec(commandLine);
  return match === null ? null : Number(match[1]);
}

/**
 * @param {{pid: number, identity: string, port: number}} ref a process that is ours for all we know
 * @param {string} realDir
 * @returns {Promise<RedisRef | null>} null when it ended meanwhile: its launcher was killed while stopping it
 * @throws {SetupError} when it lives but cannot be asked: starting a second one beside it would lose tasks
 */
async function confirmed(ref, realDir) {
  const isConfirmed = await waitUntil(async () => !isRunning(ref) || (await redisDirAt(ref.port)) === realDir, {
    withinMs: 10_000,
  });
  if (!isRunning(ref)) return null;
  if (isConfirmed) return ref;
  throw new SetupError(
    `A Redis of this folder seems to run (pid ${ref.pid}, port ${ref.port}), but it does not answer.\n` +
      `Two servers must not share ${realDir}. Stop that one, then start again:\n  kill ${ref.pid}`,
  );
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
