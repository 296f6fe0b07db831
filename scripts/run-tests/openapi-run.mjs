import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { ensureSchemathesis } from '../install/schemathesis.mjs';
import { withSetupLock } from '../install/setup-lock.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { processRef } from '../processes/process-identity.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { reportFailure, SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';
import { freePort } from '../servers/free-port.mjs';
import { startTestServers } from './test-servers.mjs';

/** A run takes about 40 s on two cores that do nothing else; .ci/run has it beside the tests. */
const LONGEST_RUN_MS = 480_000;
const READY_WITHIN_MS = 30_000;
/** The contract says that each call needs a key, and the tool tries all of them without one, too. */
const API_KEY = `krs_openapi_${randomBytes(32).toString('hex')}`;
const CONFIG_DIR = path.join(cloneDir, 'scripts', 'schemathesis');

/**
 * Runs the built API without a worker, so that nothing is sent to the addresses that are made up, and compares its answers
 * with docs/openapi.yaml.
 *
 * @returns {Promise<number>} exit code: 0 only when the API does what its contract says
 */
export async function compareWithContract() {
  const { signal } = watchForInterruption();
  try {
    await readyClone({ signal });
    const program = await withSetupLock(() => ensureSchemathesis({ signal }), { of: 'schemathesis', signal });
    const servers = await startTestServers({ needed: new Set(['redis']), signal });
    try {
      const url = await startApi(servers, signal);
      await runSchemathesis(program, url, servers.dir, signal);
      console.log('The API does what docs/openapi.yaml says.');
      return 0;
    } finally {
      await servers.stop();
    }
  } catch (error) {
    return reportFailure(error);
  }
}

/**
 * @param {import('./test-servers.mjs').TestServers} servers
 * @param {AbortSignal} signal
 * @returns {Promise<string>} its address
 */
async function startApi(servers, signal) {
  const port = await freePort();
  const env = { ...process.env, REDIS_ADDR: servers.env.TEST_REDIS_ADDR, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), LOG_LEVEL: 'warn', AUTH: 'on', BOOTSTRAP_API_KEY: API_KEY };
  const child = spawn(process.execPath, ['--enable-source-maps', path.join(cloneDir, 'dist', 'server', 'main.js')], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const ref = processRef(child.pid);
  if (ref !== null) servers.endWithUs({ stop: ref });
  const hasEnded = once(child, 'exit').then(() => true);
  const url = `http://127.0.0.1:${port}`;
  const isReady = await Promise.race([hasEnded.then(() => false), waitUntil(() => answers(`${url}/readyz`), { withinMs: READY_WITHIN_MS, signal })]);
  if (isReady !== true) throw new SetupError('The API did not start; what it said stands above.');
  return url;
}

/** @param {string} url */
async function answers(url) {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // it does not listen yet
  }
}

/**
 * @param {string} program
 * @param {string} url
 * @param {string} dir where it may leave files
 * @param {AbortSignal} signal
 * @throws {SetupError} when an answer is not as the contract says; the report stands on screen
 */
async function runSchemathesis(program, url, dir, signal) {
  const limit = AbortSignal.timeout(LONGEST_RUN_MS);
  try {
    await runCommand(program, ['--config-file', path.join(CONFIG_DIR, 'schemathesis.toml'), 'run', path.join(cloneDir, 'docs', 'openapi.yaml'), '--url', url, '--header', `Authorization: Bearer ${API_KEY}`, '--no-color'], {
      cwd: dir,
      // The hooks are found there, and leave no compiled copy in the clone.
      env: { ...process.env, OPENAPI_API_KEY: API_KEY, PYTHONPATH: CONFIG_DIR, PYTHONDONTWRITEBYTECODE: '1' },
      signal: AbortSignal.any([signal, limit]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) throw new SetupError(`The comparison with docs/openapi.yaml took longer than ${LONGEST_RUN_MS / 1_000} s.`);
    throw error;
  }
}
