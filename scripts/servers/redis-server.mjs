import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

import { endProcess } from '../processes/end-process.mjs';
import { freePort, tryListen } from './free-port.mjs';
import { isRunning, processRef } from '../processes/process-identity.mjs';
import { askRedis } from './redis-protocol.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/** @typedef {import('../processes/process-identity.mjs').ProcessRef} ProcessRef */

/** Reading 10 GB of append-only file back takes minutes; an answer of LOADING shows that it is at it. */
const LONGEST_LOADING_MS = 15 * 60_000;

/** How long a Redis may say nothing at all before it counts as broken. */
const FIRST_ANSWER_WITHIN_MS = 20_000;

/**
 * Starts a Redis on loopback in a process group of its own: Ctrl-C in a terminal signals a whole group, and Redis
 * exits at once on SIGINT, under the feet of workers that still drain.
 *
 * @param {object} options
 * @param {string} options.binary
 * @param {string} options.dir          its data; made if missing
 * @param {number} options.port
 * @param {readonly string[]} options.settings e.g. ['--appendonly', 'yes']
 * @param {(ref: ProcessRef & {port: number}) => void} [options.onSpawn] called before the first wait, so that the pid is on record
 *   even when we are killed in it
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<ProcessRef & {port: number}>} once it answers and has loaded its data
 * @throws {SetupError} with the end of its log when it does not
 */
export async function startRedisServer({ binary, dir, port, settings, onSpawn, signal }) {
  mkdirSync(dir, { recursive: true });
  const realDir = realpathSync(dir);
  const logFile = path.join(realDir, 'redis.log');
  // Its standard output, not --logfile: a complaint about the settings themselves comes before it has a log.
  const log = openSync(logFile, 'a');
  const { size: saidBefore } = fstatSync(log);
  const child = spawn(
    binary,
    ['--bind', '127.0.0.1', '--port', String(port), '--dir', realDir, '--daemonize', 'no', ...settings],
    { cwd: realDir, detached: true, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  /** @type {string | null} */
  let ending = null;
  child.once('error', (error) => (ending = error.message));
  child.once('exit', (code, killedBy) => (ending = killedBy === null ? `exit code ${code}` : `killed by ${killedBy}`));
  // Ours to stop by its pid, also by a later launcher: it must not keep this process alive by itself.
  child.unref();

  const ref = processRef(child.pid);
  if (ref !== null) onSpawn?.({ ...ref, port });
  try {
    const isReady = await waitUntilLoaded(port, realDir, () => ending, signal);
    if (ref !== null && isReady && ending === null) {
      warnOfCutTail(logFile, saidBefore);
      return { ...ref, port };
    }
  } catch (error) {
    if (ref !== null) await endProcess(ref, { graceMs: 10_000 });
    throw error;
  }
  if (ref !== null) await endProcess(ref, { graceMs: 10_000 });
  throw new SetupError(
    `Redis did not start (${ending ?? 'no answer in time'}): ${binary}, port ${port}, data in ${realDir}\n` +
      `The end of ${logFile}:\n${tailOf(logFile)}`,
  );
}

/**
 * The same on a port that is free; asks again when somebody else was faster.
 * @param {Omit<Parameters<typeof startRedisServer>[0], 'port'> & {preferredPort?: number}} options
 */
export async function startRedisOnFreePort({ preferredPort, ...options }) {
  for (let triesLeft = 3; ; triesLeft -= 1) {
    const port = await freePort(triesLeft === 3 ? preferredPort : undefined);
    try {
      return await startRedisServer({ ...options, port });
    } catch (error) {
      const isPortTaken = 'code' in (await tryListen('127.0.0.1', port));
      if (!isPortTaken || triesLeft === 1) throw error;
    }
  }
}

/**
 * @param {number} port
 * @returns {Promise<string | null>} the data folder of the Redis that answers there, null when none does
 */
export async function redisDirAt(port) {
  try {
    const reply = await askRedis(port, ['CONFIG', 'GET', 'dir']);
    return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : null;
  } catch {
    // Nobody there, or no Redis: for the question "whose folder is it" both are "not ours".
    return null;
  }
}

/**
 * @param {number} port
 * @param {string} realDir a stranger's Redis may answer on that port while ours finds it taken
 * @param {() => string | null} ending why the process is gone, if it is
 * @param {AbortSignal} [signal]
 * @returns {Promise<boolean>}
 */
async function waitUntilLoaded(port, realDir, ending, signal) {
  const startedAt = performance.now();
  const answer = await waitUntil(
    async () => {
      if (ending() !== null) return 'gone';
      try {
        return (await askRedis(port, ['PING'])) === 'PONG' && (await redisDirAt(port)) === realDir && 'ready';
      } catch (error) {
        const isLoading = error instanceof Error && error.message.startsWith('LOADING');
        return !isLoading && performance.now() - startedAt > FIRST_ANSWER_WITHIN_MS && 'silent';
      }
    },
    { withinMs: LONGEST_LOADING_MS, signal },
  );
  return answer === 'ready';
}

/**
 * An orderly end: SIGTERM makes Redis write and sync its append-only file before it goes.
 * @param {ProcessRef} ref
 */
export async function stopRedisServer(ref) {
  if (!isRunning(ref)) return;
  const isEnded = await endProcess(ref, { graceMs: 60_000 });
  if (!isEnded) console.error(`Redis (pid ${ref.pid}) did not stop within 60 s and was killed; its append-only file keeps the tasks.`);
}

/**
 * Redis drops a torn end of its append-only file and starts all the same; only its log says so, and nobody reads that.
 * @param {string} logFile
 * @param {number} from  where this start begins in it, in bytes
 */
function warnOfCutTail(logFile, from) {
  const said = readFileSync(logFile).subarray(from).toString();
  // The name of the setting that allows it: the sentence around it differs between versions.
  if (!said.includes('aof-load-truncated')) return;
  console.error(`Redis found the end of its append-only file torn, by a power cut or a full disk, and dropped it: what was\naccepted in the last moment before that may be gone. Its log: ${logFile}`);
}

/** @param {string} file */
function tailOf(file) {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).map((line) => `  ${line}`).join('\n');
  } catch {
    // The program could not even be started, so it has no log; the message above says why.
    return '  (no log)';
  }
}
