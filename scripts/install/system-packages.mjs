import { existsSync, rmSync, writeFileSync } from 'node:fs';

import { findProgram } from './find-program.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { withSetupLock } from './setup-lock.mjs';

/**
 * What one thing is called by each package manager; a manager that is left out does not have it.
 * @typedef {{apt?: string[], apk?: string[], dnf?: string[], brew?: string[]}} PackageNames
 */

const NO_QUESTIONS = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', HOMEBREW_NO_ASK: '1' };

/**
 * Homebrew refuses to run as root, and the others work for root only.
 * @type {readonly {manager: keyof PackageNames, program: string, isForRoot: boolean, commands: (packages: string[]) => string[][]}[]}
 */
const MANAGERS = [
  { manager: 'apt', program: 'apt-get', isForRoot: true, commands: (packages) => [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...packages]] },
  { manager: 'apk', program: 'apk', isForRoot: true, commands: (packages) => [['add', '--no-cache', ...packages]] },
  { manager: 'dnf', program: 'dnf', isForRoot: true, commands: (packages) => [['install', '-y', '-q', ...packages]] },
  { manager: 'brew', program: 'brew', isForRoot: false, commands: (packages) => [['install', ...packages]] },
];

/**
 * Installs packages where no question is asked: as root on Debian, Ubuntu, Alpine and Fedora; with Homebrew
 * as the user it belongs to. Never with sudo: it would ask for a password.
 *
 * @param {PackageNames} names
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<boolean>} false when this machine has no such manager, or it failed (its output is on screen)
 */
export async function installPackages(names, { signal } = {}) {
  const install = installerFor(names);
  if (install === null) return false;
  console.log(`Installing ${install.packages.join(', ')} with ${install.manager} …`);
  try {
    // A package manager refuses to run beside itself.
    await withSetupLock(() => install.run(signal), { of: 'packages', signal });
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    // The caller has another way, or a message of its own.
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

/**
 * @param {PackageNames} names
 * @returns {{manager: string, packages: string[], run: (signal?: AbortSignal) => Promise<void>} | null}
 */
function installerFor(names) {
  const env = { ...process.env, ...NO_QUESTIONS };
  for (const { manager, program, isForRoot, commands } of MANAGERS) {
    const binary = findProgram(program);
    const packages = names[manager];
    if (packages === undefined || binary === null || isForRoot !== (process.getuid?.() === 0)) continue;
    const run = async (/** @type {AbortSignal | undefined} */ signal) => {
      for (const args of commands(packages)) await runCommand(binary, args, { env, signal });
    };
    return { manager: program, packages, run: manager === 'apt' ? (signal) => withoutServiceStart(() => run(signal)) : run };
  }
  return null;
}

/**
 * Debian starts a service as soon as its package is unpacked: the tests would leave a Redis on port 6379. The
 * distribution's own switch against that is this file. One that exists already is left as it is.
 * @param {() => Promise<void>} install
 */
async function withoutServiceStart(install) {
  const policyFile = '/usr/sbin/policy-rc.d';
  if (existsSync(policyFile)) return install();
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    rmSync(policyFile, { force: true });
  }
}
