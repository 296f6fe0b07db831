import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from './clone-paths.mjs';
import { runCommand } from '../processes/run-command.mjs';

const distDir = path.join(cloneDir, 'dist');
const stampFile = path.join(distDir, '.built-from');

/**
 * Compiles server, workers, shared and client into dist, unless dist is what these very sources give.
 * @param {object} [options]
 * @param {boolean} [options.checksTypes]  without it the build takes less than half of the time: for those who check them elsewhere
 * @param {AbortSignal} [options.signal]
 */
export async function ensureBuild({ checksTypes = true, signal } = {}) {
  const sources = hashOfSources();
  // The output is part of the stamp: an `npm run build` by hand in between leaves a dist of other sources.
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === `${sources} ${hashOfFiles([distDir])}\n`) return;

  console.log('Building (tsc) …');
  // Built beside it and then swapped in: a compile error or Ctrl-C leaves the last good build, a service that
  // is running never meets half a file, and files whose source is gone do not stay behind.
  // (Beside dist and not below .cache, because source maps point to the sources by relative paths.)
  const nextDir = path.join(cloneDir, 'dist.next');
  const lastDir = path.join(cloneDir, 'dist.last');
  rmSync(nextDir, { recursive: true, force: true });
  rmSync(lastDir, { recursive: true, force: true });
  try {
    const tsc = path.join(cloneDir, 'node_modules', 'typescript', 'bin', 'tsc');
    for (const project of ['tsconfig.json', path.join('server', 'admin-page')]) await runCommand(process.execPath, [tsc, '-p', project, '--outDir', nextDir, ...(checksTypes ? [] : ['--noCheck'])], { signal });
    writeFileSync(path.join(nextDir, '.built-from'), `${sources} ${hashOfFiles([nextDir])}\n`);
    if (existsSync(distDir)) renameSync(distDir, lastDir);
    renameSync(nextDir, distDir);
  } finally {
    rmSync(nextDir, { recursive: true, force: true });
    rmSync(lastDir, { recursive: true, force: true });
  }
}

function hashOfSources() {
  const roots = ['server', 'workers', 'shared', 'client', 'tsconfig.json', 'package.json', 'package-lock.json'];
  return hashOfFiles(roots.map((root) => path.join(cloneDir, root)));
}

/**
 * @param {readonly string[]} roots files and folders; names starting with a dot are left out
 * @returns {string} changes when any path below, or any content, changes
 */
function hashOfFiles(roots) {
  const hash = createHash('sha256');
  for (const root of roots) {
    for (const file of filesBelow(root)) {
      hash.update(`${path.relative(root, file)}\0`).update(readFileSync(file)).update('\0');
    }
  }
  return hash.digest('hex');
}

/**
 * @param {string} root
 * @returns {string[]} in an order that is the same everywhere
 */
function filesBelow(root) {
  if (!existsSync(root)) return [];
  /** @type {string[]} */
  const files = [];
  const open = [root];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    try {
      for (const entry of readdirSync(at)) if (!entry.startsWith('.')) open.push(path.join(at, entry));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOTDIR') throw error;
      files.push(at);
    }
  }
  return files.sort();
}
