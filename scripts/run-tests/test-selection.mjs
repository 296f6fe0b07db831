import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';
import { SetupError } from '../processes/setup-error.mjs';

/**
 * Folders of test/ in the order they run, quickest first, and the servers each one needs.
 * @type {Record<string, readonly ('redis' | 'kafka' | 'chromium' | 'promtool' | 'chart-tools')[]>}
 */
const FOLDERS = {
  unit: [],
  deploy: ['redis', 'chart-tools'],
  contract: ['redis', 'kafka'],
  integration: ['redis', 'kafka'],
  e2e: ['redis', 'kafka', 'chromium', 'promtool'],
  chaos: ['redis', 'kafka'],
  topology: ['redis'],
};

/**
 * The whole run in rounds. The parts of one round run side by side, each in a Mocha of its own; a part names folders and files of
 * test/, and the longest name that fits a file decides.
 *
 * The second part of the first round mostly waits: for processes that start, locks that lapse and servers that come back. The
 * parts of the second one start programs by the dozen: commands in the first, workers that meet faults in the second. The last
 * round needs the machine for itself, because its limits are about times: when tasks are sent, and how long innocent clients wait.
 *
 * @type {readonly (readonly (readonly string[])[])[]}
 */
const WHOLE_RUN = [
  [
    ['unit', 'deploy', 'integration'],
    ['chaos', 'topology', 'chaos/neighbours/slow-readers.test.ts', 'contract', 'integration/shared/queue/engine'],
  ],
  [
    ['e2e'],
    [
      'e2e/bull-board.test.ts', 'e2e/clock-steps.test.ts', 'e2e/dead-letters.test.ts', 'e2e/frozen-redis.test.ts', 'e2e/hostile-brokers.test.ts',
      'e2e/own-stall.test.ts', 'e2e/retry-schedule.test.ts', 'e2e/worker-faults.test.ts', 'e2e/worker-killed.test.ts', 'e2e/workers.test.ts',
    ],
  ],
  [['integration/workers/flow-control', 'integration/workers/delivery/wake-when-due.test.ts', 'chaos/neighbours']],
];

/**
 * @typedef {object} TestSelection
 * @property {string[][][]} rounds  one after the other; of each one the parts that run side by side, with their files in the order to
 *   run, relative to the clone; no part is empty
 * @property {Set<string>} servers  what they need
 * @property {string[]} mochaArgs   the rest of the command line, e.g. ['--grep', 'drains']
 */

/**
 * @param {readonly string[]} args folder names and files first, e.g. ['unit', '--grep', 'caps'] or
 *   ['test/unit/a.test.ts']; none of them means every folder, and only then tests run side by side
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
  const rounds = files.length === 0 ? [] : chosen.length === 0 && availableParallelism() > 1 ? roundsOf(files) : [[files]];
  return { rounds, servers, mochaArgs: [...mochaArgs] };
}

/**
 * @param {readonly string[]} files of the whole run
 * @returns {string[][][]}
 */
function roundsOf(files) {
  const homes = WHOLE_RUN.flat(2).sort((a, b) => b.length - a.length);
  /** @param {string} file */
  const homeOf = (file) => {
    const inTest = path.relative('test', file).split(path.sep).join('/');
    const home = homes.find((name) => inTest === name || inTest.startsWith(`${name}/`));
    if (home === undefined) throw new SetupError(`No part of the whole run has ${file}: name its folder in ${path.relative(cloneDir, import.meta.filename)}.`);
    return home;
  };
  const homeOfFile = new Map(files.map((file) => [file, homeOf(file)]));
  return WHOLE_RUN.map((round) => round.map((part) => files.filter((file) => part.includes(homeOfFile.get(file) ?? ''))).filter((part) => part.length > 0));
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
