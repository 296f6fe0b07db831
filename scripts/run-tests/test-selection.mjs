import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';
import { SetupError } from '../processes/setup-error.mjs';

/**
 * Folders of test/ in the order they run, quickest first, and the servers each one needs.
 * @type {Record<string, readonly ('redis' | 'redis-6.2' | 'kafka' | 'chromium' | 'promtool' | 'chart-tools')[]>}
 */
const FOLDERS = {
  unit: [],
  deploy: ['redis', 'chart-tools'],
  contract: ['redis', 'kafka'],
  integration: ['redis', 'kafka'],
  e2e: ['redis', 'kafka', 'chromium', 'promtool'],
  chaos: ['redis', 'kafka'],
  topology: ['redis', 'redis-6.2'],
};

/** Processes that run tests side by side, on two cores: many tests wait for timers, locks and servers most of their time. */
const LANES = 4;

/** Folders in the order of the whole run. The first ones have the longest files, which mostly wait; what is quick fills up the end. */
const ORDER = ['topology', 'chaos', 'e2e', 'contract', 'deploy', 'integration', 'unit'];

/** Their limits are about when tasks are sent. They wait most of their time, so two of them do not disturb each other. */
const IN_TIME = ['integration/workers/flow-control', 'integration/workers/delivery/wake-when-due.test.ts'];
const LANES_IN_TIME = 2;
/** They need the machine for themselves: their limits are about how long innocent clients wait beside one that takes all that it can. */
const ALONE = ['chaos/neighbours'];
/** A part of the above whose limits are far from what a busy machine adds. */
const NOT_ALONE = ['chaos/neighbours/slow-readers.test.ts'];

/** @typedef {{readonly files: readonly string[], readonly lanes: number}} Round  files relative to the clone, in the order to run */

/**
 * @typedef {object} TestSelection
 * @property {Round[]} rounds       one after the other
 * @property {Set<string>} servers  what they need
 * @property {string[]} mochaArgs   the rest of the command line, e.g. ['--grep', 'drains']
 */

/**
 * @param {readonly string[]} args folder names and files first, e.g. ['unit', '--grep', 'caps'] or
 *   ['test/unit/a.test.ts']; none of them means every folder; only without any argument tests run side by side
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
  const servers = new Set(files.flatMap(serversOf));
  const rounds = args.length === 0 ? roundsOf(files) : [{ files, lanes: 1 }];
  return { rounds, servers, mochaArgs: [...mochaArgs] };
}

/**
 * @param {readonly string[]} files of the whole run
 * @returns {Round[]}
 */
function roundsOf(files) {
  /** @param {string} file @param {readonly string[]} names */
  const isIn = (file, names) => names.map((name) => path.join('test', name)).some((name) => file === name || file.startsWith(`${name}${path.sep}`));
  /** @param {string} file */
  const needsAll = (file) => isIn(file, ALONE) && !isIn(file, NOT_ALONE);
  /** @param {string} file */
  const isInTime = (file) => isIn(file, IN_TIME);
  /** @param {number} lanes */
  const onThisMachine = (lanes) => (availableParallelism() > 1 ? lanes : 1);
  return [
    { files: ORDER.flatMap((folder) => files.filter((file) => isIn(file, [folder]) && !needsAll(file) && !isInTime(file))), lanes: onThisMachine(LANES) },
    { files: files.filter(isInTime), lanes: onThisMachine(LANES_IN_TIME) },
    { files: files.filter(needsAll), lanes: 1 },
  ];
}

/**
 * @param {string} file relative to the clone
 * @returns {readonly string[]} the servers it needs
 */
export function serversOf(file) {
  return FOLDERS[path.normalize(file).split(path.sep)[1] ?? ''] ?? [];
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
