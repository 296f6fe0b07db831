import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from './clone-paths.mjs';
import { findProgram } from './find-program.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';

const modulesDir = path.join(cloneDir, 'node_modules');
const stampFile = path.join(modulesDir, '.installed-lock');

/**
 * Installs exactly what package-lock.json says, unless that is what is there.
 * @param {{signal?: AbortSignal}} [options]
 */
export async function ensureDependencies({ signal } = {}) {
  const lockText = readFileSync(path.join(cloneDir, 'package-lock.json'), 'utf8');
  // esbuild and msgpackr are built per platform: a folder copied from another machine is not installed.
  const stamp = `${process.platform}-${process.arch} ${createHash('sha256').update(lockText).digest('hex')}\n`;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  console.log('Installing dependencies (npm ci) …');
  const [npm, ...npmArgs] = npmCommand();
  // --include=dev: with NODE_ENV=production npm would leave the compiler out.
  await runCommand(npm, [...npmArgs, 'ci', '--include=dev', '--no-audit', '--no-fund'], { signal });
  writeFileSync(stampFile, stamp);
}

/** @returns {[string, ...string[]]} */
function npmCommand() {
  // The npm that started us comes first: PATH may hold another one, or none.
  const startedBy = process.env.npm_execpath;
  if (startedBy !== undefined && path.basename(startedBy) === 'npm-cli.js') return [process.execPath, startedBy];
  const bundled = path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const onPath = findProgram('npm');
  if (onPath !== null) return [onPath];
  if (existsSync(bundled)) return [process.execPath, bundled];
  throw new SetupError('npm is needed to install the dependencies and was not found on PATH. It comes with Node; install it and start again.');
}
