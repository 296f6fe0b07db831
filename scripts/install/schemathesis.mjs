import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { cacheDir, cloneDir } from './clone-paths.mjs';
import { findProgram } from './find-program.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { installPackages } from './system-packages.mjs';

const REQUIREMENTS = path.join(cloneDir, 'scripts', 'schemathesis', 'requirements.txt');
const PYTHONS = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

/**
 * Installs Schemathesis into an environment of its own in .cache, in the versions of requirements.txt. Costs nothing when
 * that was done before.
 *
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>} path of the program
 * @throws {SetupError} when there is no Python for it, and none could be installed
 */
export async function ensureSchemathesis({ signal } = {}) {
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  const dir = path.join(cacheDir, 'schemathesis');
  // Written last, so that an environment that was left half done is made anew.
  const marker = path.join(dir, 'installed-requirements');
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted) {
    const python = await findOrInstallPython({ signal });
    rmSync(dir, { recursive: true, force: true });
    console.log('Installing Schemathesis …');
    await runCommand(python, ['-m', 'venv', dir], { signal });
    await runCommand(path.join(dir, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--requirement', REQUIREMENTS], { signal });
    writeFileSync(marker, wanted);
  }
  return path.join(dir, 'bin', 'schemathesis');
}

/** @param {{signal?: AbortSignal}} options */
async function findOrInstallPython({ signal }) {
  const found = findPython();
  if (found !== null) return found;
  // Debian and Ubuntu have what makes an environment in a package of its own.
  await installPackages({ apt: ['python3', 'python3-venv'], apk: ['python3'], dnf: ['python3'], brew: ['python'] }, { signal });
  const installed = findPython();
  if (installed !== null) return installed;
  throw new SetupError(
    [
      'The comparison of the API with docs/openapi.yaml needs Python 3.10 or newer with venv. It was not found, and could not be',
      'installed without asking you. Do one of these, then start again:',
      '  Debian, Ubuntu:  sudo apt-get install python3-venv',
      '  Fedora, RHEL:    sudo dnf install python3',
      '  Alpine:          sudo apk add python3',
      '  macOS:           brew install python',
    ].join('\n'),
  );
}

function findPython() {
  return PYTHONS.map((name) => findProgram(name)).find((python) => python !== null && canMakeEnvironments(python)) ?? null;
}

/** @param {string} python */
function canMakeEnvironments(python) {
  try {
    execFileSync(python, ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'], { stdio: 'ignore' });
    return true;
  } catch {
    // Too old, without venv, or a stub that only asks to be installed: neither is of use.
    return false;
  }
}
