import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { cacheDir } from './clone-paths.mjs';
import { findProgram, isProgram } from './find-program.mjs';
import { withSetupLock } from './setup-lock.mjs';
import { installPackages } from './system-packages.mjs';

/** On Debian and Ubuntu the package is only unpacked, here: it would bring a server that starts, and a dozen other packages. */
const UNPACKED = path.join(cacheDir, 'prometheus');
const IN_PACKAGE = path.join(UNPACKED, 'usr', 'bin', 'promtool');

/**
 * Finds promtool, the checker that comes with Prometheus, or fetches it.
 *
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>} path of the program
 */
export async function ensurePromtool({ signal } = {}) {
  const found = findPromtool() ?? (await withSetupLock(() => unpackDebianPackage({ signal }), { of: 'packages', signal }));
  if (found !== null) return found;
  await installPackages({ apk: ['prometheus'], dnf: ['golang-github-prometheus'], brew: ['prometheus'] }, { signal });
  const installed = findPromtool();
  if (installed !== null) return installed;
  throw new SetupError(
    [
      'The tests of metrics and alert rules need promtool: it was not found, and could not be installed without asking you.',
      'Install it with one of these, or set PROMTOOL_PATH to one that you have:',
      '  Debian, Ubuntu:  sudo apt-get install prometheus',
      '  Fedora:          sudo dnf install golang-github-prometheus',
      '  Alpine:          sudo apk add prometheus',
      '  macOS:           brew install prometheus',
    ].join('\n'),
  );
}

function findPromtool() {
  const chosen = process.env.PROMTOOL_PATH;
  if (chosen) {
    if (runs(chosen)) return chosen;
    throw new SetupError(`PROMTOOL_PATH=${chosen}: that is no promtool that runs here.`);
  }
  return [findProgram('promtool'), IN_PACKAGE].find((candidate) => candidate !== null && runs(candidate)) ?? null;
}

/** @param {{signal?: AbortSignal}} options */
async function unpackDebianPackage({ signal }) {
  const [apt, dpkg] = [findProgram('apt-get'), findProgram('dpkg-deb')];
  if (apt === null || dpkg === null) return null;
  rmSync(UNPACKED, { recursive: true, force: true });
  mkdirSync(UNPACKED, { recursive: true });
  console.log('Fetching promtool …');
  try {
    // The lists of packages are missing in a fresh container, and out of date on others; only root may renew them.
    if (process.getuid?.() === 0) await runCommand(apt, ['update', '-qq'], { signal });
    // Its own user may not write into our folder.
    await runCommand(apt, ['-o', 'APT::Sandbox::User=root', 'download', '-qq', 'prometheus'], { cwd: UNPACKED, signal, isQuiet: true });
    const file = readdirSync(UNPACKED).find((name) => name.endsWith('.deb'));
    if (file === undefined) return null;
    await runCommand(dpkg, ['-x', path.join(UNPACKED, file), UNPACKED], { signal });
    rmSync(path.join(UNPACKED, file));
  } catch (error) {
    signal?.throwIfAborted();
    // The message of ensurePromtool says what a person can do.
    console.error(error instanceof Error ? error.message : error);
    return null;
  }
  return findPromtool();
}

/** @param {string} program */
function runs(program) {
  if (!isProgram(program)) return false;
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    // A file for another machine, or a broken one: of no use.
    return false;
  }
}
