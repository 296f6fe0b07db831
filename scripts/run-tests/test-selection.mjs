import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';
import { SetupError } from '../processes/setup-error.mjs';

/**
 * Folders of test/ in the order they run, quickest first, and the servers each one needs.
 * @type {Record<string, readonly ('redis' | 'kafka' | 'chromium')[]>}
 */
const FOLDERS = {
  unit: [],
  contract: ['redis', 'kafka'],
  integration: ['redis', 'kafka'],
  e2e: ['redis', 'kafka', 'chromium'],
  chaos: ['redis', 'kafka'],
  topology: ['redis'],
};

/**
 * @typedef {object} TestSelection
 * @property {string[]} files       relative to the clone, in the order to run
 * @property {Set<string>} servers  what they need
 * @property {string[]} mochaArgs   the rest of the command line, e.g. ['--grep', 'drains']
 */

/**
 * @param {readonly string[]} args folder names and files first, e.g. ['unit', '--grep', 'caps'] or
 *   ['test/unit/a.test.ts']; none of them means every folder
 * @returns {TestSelection}
 */
export function selectTests(args) {
  const firstOption = args.findIndex((arg) => !(arg in FOLDERS) && !isTestFile(arg));
  const chosen = firstOption === -1 ? args : args.slice(0, firstOption);
  const mochaArgs = firstOption === -1 ? [] : args.slice(firstOption);
  const mistake = mochaArgs[0];
  if (mistake !== undefined && !mistake.startsWith('-')) {
    throw new SetupError(`"${mistake}" is neither a folder of tests (${Object.keys(FOLDERS).join(', ')}) nor a file that ends in .test.ts.`);
  }
  const folders = Object.keys(FOLDERS).filter((folder) => chosen.length === 0 || chosen.includes(folder));
  const files = [...folders.flatMap(testFilesOf), ...chosen.filter(isTestFile)];
  const servers = new Set(files.flatMap((file) => FOLDERS[path.normalize(file).split(path.sep)[1] ?? ''] ?? []));
  return { files, servers, mochaArgs: [...mochaArgs] };
}

/** @param {string} arg */
function isTestFile(arg) {
  return arg.endsWith('.test.ts') && existsSync(path.join(cloneDir, arg));
}

/** @param {string} folder */
function testFilesOf(folder) {
  const dir = path.join(cloneDir, 'test', folder);
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => path.join('test', folder, file));
}
