import { existsSync, rmSync, writeFileSync } from 'node:fs';

import { findProgram } from './find-program.mjs';
import { runCommand } from '../processes/run-command.mjs';

/**
 * What one thing is called by each package manager; a manager that is left out does not have it.
 * @typedef {{apt?: string[], apk?: string[], dnf?: string[], brew?: string[]}} PackageNames
 */

const NO_QUESTIONS = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', HOMEBREW_NO_ASK: '1' };

/**
 * Installs packages where that asks nobody anything: as root on Debian, Ubuntu, Alpine and Fedora; with Homebrew
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
    await install.run(signal);
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
  const isRoot = process.getuid?.() === 0;
  const env = { ...process.env, ...NO_QUESTIONS };
  const aptGet = findProgram('apt-get');
  if (names.apt !== undefined && isRoot && aptGet !== null) {
    const packages = names.apt;
    return {
      manager: 'apt-get',
      packages,
      run: (signal) =>
        withoutServiceStart(async () => {
          await runCommand(aptGet, ['update', '-qq'], { env, signal });
          await runCommand(aptGet, ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env, signal });
        }),
    };
  }
  const apk = findProgram('apk');
  if (names.apk !== undefined && isRoot && apk !== null) {
    const packages = names.apk;
    return { manager: 'apk', packages, run: (signal) => runCommand(apk, ['add', '--no-cache', ...packages], { env, signal }) };
  }
  const dnf = findProgram('dnf');
  if (names.dnf !== undefined && isRoot && dnf !== null) {
    const packages = names.dnf;
    return { manager: 'dnf', packages, run: (signal) => runCommand(dnf, ['install', '-y', '-q', ...packages], { env, signal }) };
  }
  const brew = findProgram('brew');
  // Homebrew refuses to run as root.
  if (names.brew !== undefined && !isRoot && brew !== null) {
    const packages = names.brew;
    return { manager: 'Homebrew', packages, run: (signal) => runCommand(brew, ['install', ...packages], { env, signal }) };
  }
  return null;
}

/**
 * Debian starts a service as soon as its package is unpacked: a Redis on port 6379 that nobody asked for. The
 * distribution's own switch against that is this file; one that exists already is somebody's decision.
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
