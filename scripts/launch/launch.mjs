import { setTimeout as delay } from 'node:timers/promises';
import path from 'node:path';

import { waitUntilReady } from './api-readiness.mjs';
import { cloneDir } from '../install/clone-paths.mjs';
import { ensureEmbeddedRedis } from './embedded-redis.mjs';
import { endProcess } from '../processes/end-process.mjs';
import { tryListen } from '../servers/free-port.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { freePortNear, isOfRedisElsewhere, namesRedis, readLaunchSettings } from './launch-settings.mjs';
import { lockDataDir } from './launcher-lock.mjs';
import { isRunning } from '../processes/process-identity.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { reportFailure, SetupError } from '../processes/setup-error.mjs';
import { superviseProcess } from './supervised-process.mjs';
import { waitUntil } from '../processes/wait-until.mjs';
import { RECEIVER, welcomeText } from './welcome.mjs';
import { nodeFlags } from './node-flags.mjs';

/** @typedef {import('./launcher-lock.mjs').LauncherRecord} LauncherRecord */

/** What a process may take beyond its own limit before it is killed. */
const STOP_GRACE_MS = 5_000;

/**
 * What is told to the text that is printed once everything answers.
 *
 * @typedef {object} Running
 * @property {string} baseUrl
 * @property {string} redis
 * @property {number} workers
 * @property {boolean} needsKey             AUTH=on
 * @property {boolean} isReceiverForbidden  the address policy refuses the receiver of the examples
 */

/**
 * `npm start`: everything up, kept up, and everything down again.
 *
 * @param {(running: Running) => string} [welcome] what is printed once everything answers
 * @param {string} [command] what a person types to start it
 * @returns {Promise<number>} exit code
 */
export async function launch(welcome = welcomeText, command = 'npm start') {
  const interruption = watchForInterruption();
  /** Ends the run: an interruption, or a process that cannot be helped. */
  const ending = new AbortController();
  interruption.signal.addEventListener('abort', () => ending.abort(interruption.signal.reason));

  /** @type {Awaited<ReturnType<typeof lockDataDir>> | null} */
  let lock = null;
  /** @type {import('./embedded-redis.mjs').EmbeddedRedis | null} */
  let redis = null;
  /** @type {import('./supervised-process.mjs').SupervisedProcess[]} */
  const processes = [];
  let hasStarted = false;
  let exitCode = 0;
  let stopGraceMs = 10_000 + STOP_GRACE_MS;

  /** @type {LauncherRecord} */
  let record = {};
  /** @param {LauncherRecord} change */
  const note = (change) => {
    record = { ...record, ...change };
    lock?.write(record);
  };
  const noteProcesses = () =>
    note({
      processes: processes.flatMap(({ name, ref }) => {
        const living = ref();
        return living === null ? [] : [{ name, ...living }];
      }),
    });

  try {
    /** @type {NodeJS.ProcessEnv} */
    const env = { ...process.env };
    const isRedisElsewhere = namesRedis(env);
    // With a Redis elsewhere there is no folder to guard: several starts with ports of their own are fine.
    if (!isRedisElsewhere) {
      lock = await lockDataDir();
      record = withoutHolder(lock.previous ?? {});
    }
    await readyClone({ signal: ending.signal });
    // All of them are checked, those too that ours has no use for: a wrong one is a mistake.
    const settings = await readLaunchSettings(env);
    // These belong to a server elsewhere; ours has no password and speaks no TLS.
    if (!isRedisElsewhere) {
      // Its processes are given an address, and so will not say it themselves.
      for (const warning of settings.redisWarnings) console.error(warning);
      for (const name of Object.keys(env)) if (isOfRedisElsewhere(name)) delete env[name];
    }
    stopGraceMs = settings.shutdownMs + STOP_GRACE_MS;
    await waitForOrphans(record, stopGraceMs, ending.signal);
    note({ processes: [] });
    const httpPort = await ensurePortIsFree(settings, command);
    const baseUrl = `http://${settings.reachableHost}:${httpPort}`;
    note({ baseUrl });

    env.HTTP_PORT = String(httpPort);
    if (!isRedisElsewhere) {
      redis = await ensureEmbeddedRedis({ recorded: record.redis, record: (ref) => note({ redis: ref }), signal: ending.signal });
      env.REDIS_ADDR = `127.0.0.1:${redis.port}`;
    }

    /** @param {string} name @param {string} program @param {string[]} flags @param {(code: number) => boolean} isFatal @param {NodeJS.ProcessEnv} [ownEnv] */
    const start = (name, program, flags, isFatal, ownEnv = {}) => {
      ending.signal.throwIfAborted();
      processes.push(
        superviseProcess({
          name,
          program: path.join(cloneDir, 'dist', program),
          flags,
          env: { ...env, ...ownEnv },
          onLivesChanged: noteProcesses,
          isFatal,
          onFatal: (code) => ending.abort(new SetupError(`${name} could not start (exit code ${code}); the reason stands above.`, { exitCode: code || 1 })),
        }),
      );
      noteProcesses();
    };
    // Before it was ever ready, an API that exits has settings it cannot work with: again would be the same.
    start('api', path.join('server', 'main.js'), nodeFlags.server, () => !hasStarted);
    await waitUntilReady(baseUrl, ending.signal);
    for (let number = 1; number <= settings.workers; number += 1) {
      start(settings.workers === 1 ? 'worker' : `worker ${number}`, path.join('workers', 'main.js'), nodeFlags.worker, () => false, portOf(settings.workerPort, number));
    }
    hasStarted = true;
    console.log(welcome({ baseUrl, redis: shownRedis(redis), workers: settings.workers, needsKey: settings.needsKey, isReceiverForbidden: settings.isForbidden(RECEIVER) }));
    await keepRedisAlive(redis, ending.signal);
  } catch (error) {
    // Ctrl-C while it runs is how one stops it; anything else is a failure.
    const isOrderlyStop = hasStarted && error === interruption.signal.reason;
    exitCode = isOrderlyStop ? 0 : reportFailure(error);
  }

  if (processes.length > 0) {
    const tellAll = () => processes.forEach((one) => one.tellToStop());
    interruption.onRepeat(() => {
      console.log('Stopping at once.');
      tellAll();
    });
    const names = processes.map(({ name }) => name).join(', ');
    console.log(`\nStopping: ${names}. What is in flight may finish, at most ${(stopGraceMs - STOP_GRACE_MS) / 1_000} s. Ctrl-C again cuts that short.`);
    tellAll();
    await Promise.all(processes.map((one) => one.ended(stopGraceMs)));
  }
  // Last, because everything above still writes to it.
  await redis?.stop();
  // What a killed launcher left and we did not get to stays on record for the next start.
  if (!hasLeftovers(record)) lock?.release();
  if (hasStarted) console.log('Stopped.');
  return exitCode;
}

/**
 * Each worker needs a port of its own.
 * @param {number | 'off'} first WORKER_HTTP_PORT
 * @param {number} number of the worker, from 1
 * @returns {NodeJS.ProcessEnv}
 */
function portOf(first, number) {
  return first === 'off' || first === 0 ? {} : { WORKER_HTTP_PORT: String(first + number - 1) };
}

/** @param {LauncherRecord & {holder?: unknown}} left */
function withoutHolder({ holder: _holder, ...left }) {
  return left;
}

/** @param {LauncherRecord} record */
function hasLeftovers({ redis, processes = [] }) {
  return processes.some(isRunning) || (redis !== undefined && 'pid' in redis && isRunning(redis));
}

/**
 * Processes of a launcher that was killed drain by themselves (follow-launcher.mjs). Until they are gone they hold
 * the port; a second signal would cut their draining short, so they are waited for, not told.
 *
 * @param {LauncherRecord} record
 * @param {number} graceMs
 * @param {AbortSignal} signal
 */
async function waitForOrphans(record, graceMs, signal) {
  const orphans = (record.processes ?? []).filter(isRunning);
  if (orphans.length === 0) return;
  console.log(`Waiting for processes of the last start to finish (${orphans.map(({ name, pid }) => `${name}: pid ${pid}`).join(', ')}) …`);
  await waitUntil(() => !orphans.some(isRunning), { withinMs: graceMs, signal });
  await Promise.all(orphans.map((orphan) => endProcess(orphan, { graceMs: 2_000 })));
}

/**
 * Asked before anything is started, so that the answer is the last thing on the screen.
 * @param {import('./launch-settings.mjs').LaunchSettings} settings
 * @param {string} command
 * @returns {Promise<number>}
 */
async function ensurePortIsFree({ httpHost, httpPort }, command) {
  const answer = await tryListen(httpHost, httpPort);
  if ('port' in answer) return answer.port;
  // Anything else than "taken" (no such address, not allowed) the API reports better, with its configuration.
  if (answer.code !== 'EADDRINUSE') return httpPort;
  const free = await freePortNear(httpHost, httpPort);
  const hint = free === undefined ? 'The variable HTTP_PORT chooses another one.' : `The variable HTTP_PORT chooses another one. This one is free now:\n  HTTP_PORT=${free} ${command}`;
  throw new SetupError(`Port ${httpPort} on ${httpHost} is taken by another program. ${hint}`);
}

/** @param {import('./embedded-redis.mjs').EmbeddedRedis | null} redis */
function shownRedis(redis) {
  if (redis === null) return 'yours (REDIS_*)';
  return `127.0.0.1:${redis.port} (${redis.shown}, data in .data/redis)`;
}

/**
 * @param {import('./embedded-redis.mjs').EmbeddedRedis | null} redis
 * @param {AbortSignal} signal
 * @returns {Promise<never>} rejects with the signal's reason when it is time to stop
 */
async function keepRedisAlive(redis, signal) {
  for (let failures = 0; ; ) {
    // The timer's AbortError hides the reason; the line after it gives the reason.
    await delay(1_000, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (redis === null || (await redis.isAlive())) continue;
    const waitMs = Math.min(1_000 * 2 ** failures, 30_000);
    console.error(`Redis (${redis.shown}) died; starting it again in ${waitMs / 1_000} s`);
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    try {
      await redis.restart();
      failures = 0;
    } catch (error) {
      failures += 1;
      reportFailure(error);
    }
  }
}
