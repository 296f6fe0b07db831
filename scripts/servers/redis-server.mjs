import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

import { endProcess } from '../processes/end-process.mjs';
import { freePort, tryListen } from './free-port.mjs';
import { isRunning, processRef } from '../processes/process-identity.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/** @typedef {import('../processes/process-identity.mjs').ProcessRef} ProcessRef */

/** Reading 10 GB of append-only file back takes minutes. */
const LONGEST_LOADING_MS = 15 * 60_000;

/** Redis and Valkey write this when they have loaded their data and listen. */
const READY = 'Ready to accept connections';

/**
 * Starts a Redis on loopback in a process group of its own: Ctrl-C in a terminal signals a whole group, and Redis
 * exits at once on SIGINT, while workers still drain and need it.
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
  const said = () => readFileSync(logFile).subarray(saidBefore).toString();
  let isReady = false;
  try {
    await waitUntil(() => ending !== null || (isReady = said().includes(READY)), { withinMs: LONGEST_LOADING_MS, signal });
  } finally {
    if (ref !== null && !isReady) await endProcess(ref, { graceMs: 10_000 });
  }
  if (ref !== null && isReady) {
    warnOfCutTail(said(), logFile);
    return { ...ref, port };
  }
  throw new SetupError(
    `Redis did not start (${ending ?? 'no answer in time'}): ${binary}, port ${port}, data in ${realDir}\n` +
      `The end of ${logFile}:\n${tailOf(logFile)}`,
  );
}

/**
 * The same on a port that is free; asks again when another program was faster.
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
 * An orderly end: SIGTERM makes Redis write and sync its append-only file before it goes.
 * @param {ProcessRef} ref
 */
export async function stopRedisServer(ref) {
  if (!isRunning(ref)) return;
  const isEnded = await endProcess(ref, { graceMs: 60_000 });
  if (!isEnded) console.error(`Redis (pid ${ref.pid}) did not stop within 60 s and was killed; its append-only file keeps the tasks.`);
}

/**
 * Redis drops a torn end of its append-only file and starts all the same; only its log says so.
 * @param {string} said  its log since this start
 * @param {string} logFile
 */
function warnOfCutTail(said, logFile) {
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
