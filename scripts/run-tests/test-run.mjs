import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { runToEnd } from '../processes/child-run.mjs';
import { cloneDir } from '../install/clone-paths.mjs';
import { countsOf, endingOf, failedRun, failuresBehind, sum } from './counts.mjs';
import { describeMostCostly } from './file-times.mjs';
import { runInLanes } from './lanes.mjs';
import { EXIT_WITHIN_MS } from './left-open.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { reportFailure } from '../processes/setup-error.mjs';
import { selectTests } from './test-selection.mjs';
import { startTestServers } from './test-servers.mjs';
import { describeFailures, filesToRunAlone, RUNS_ALONE } from './unstable-tests.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */

/**
 * Sets up, runs the chosen tests, takes everything down and prints `N passed, N failed` as the last line.
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code: 0 only when tests ran and all of them passed
 */
export async function runTests(args) {
  const { signal } = watchForInterruption();
  /** @type {Counts} */
  let counts = { passed: 0, failed: 1, failedTests: [] };
  let exitCode = 1;
  try {
    counts = await runSelected(args, signal);
    exitCode = counts.failed === 0 ? 0 : 1;
    signal.throwIfAborted();
  } catch (error) {
    exitCode = reportFailure(error);
    // An interrupted run has proved nothing, whatever had passed by then.
    if (counts.failed === 0) counts = { ...counts, failed: 1 };
  }
  if (counts.failedTests.length > 0) console.error(describeFailures('Failed tests:', counts.failedTests));
  if (counts.why !== undefined) console.error(`\n${counts.why}`);
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
  return exitCode;
}

/**
 * @param {readonly string[]} args
 * @param {AbortSignal} signal
 * @returns {Promise<Counts>}
 */
async function runSelected(args, signal) {
  const { rounds, servers: needed, mochaArgs } = selectTests(args);
  if (rounds.every(({ files }) => files.length === 0)) return failedRun('There are no such tests.');
  await readyClone({ signal });
  const servers = await startTestServers({ needed, signal });
  try {
    const isWhole = args.length === 0;
    const counts = isWhole ? await runWhole(rounds, { servers, signal }) : await runMocha({ files: rounds.flatMap(({ files }) => files), mochaArgs, servers, signal, name: 'chosen' });
    if (counts.why !== undefined) return counts;
    if (counts.passed + counts.failed === 0) return failedRun('No test was run.');
    return isWhole ? await settleUnstable(counts, { servers, signal }) : counts;
  } finally {
    await servers.stop();
  }
}

/**
 * @param {readonly import('./test-selection.mjs').Round[]} rounds
 * @param {object} options
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @returns {Promise<Counts>}
 */
async function runWhole(rounds, { servers, signal }) {
  /** @type {Counts[]} */
  const counts = [];
  /** @type {Map<string, import('./file-times.mjs').Times>} */
  const timesOf = new Map();
  for (const [nth, { files, lanes }] of rounds.entries()) {
    if (signal.aborted) break;
    const round = await runInLanes({ files, lanes, servers, signal, name: `round-${nth}` });
    counts.push(round.counts);
    for (const [file, times] of round.timesOf) timesOf.set(file, times);
  }
  console.log(describeMostCostly(timesOf));
  return sum(counts);
}

/**
 * Runs the files of a few failed tests again, alone. The failure stands if one of these runs fails; else it is shown as unstable.
 *
 * @param {Counts} whole of the whole run
 * @param {object} options
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @returns {Promise<Counts>}
 */
async function settleUnstable(whole, { servers, signal }) {
  const files = filesToRunAlone(whole.failedTests);
  if (files.length === 0) return whole;
  console.log(`\n${whole.failed} failed. Running ${files.join(', ')} again, alone.`);
  for (let nth = 1; nth <= RUNS_ALONE; nth += 1) {
    const again = await runMocha({ files, mochaArgs: [], servers, signal, name: `alone-${nth}` });
    if (again.failed > 0 || signal.aborted) return whole;
  }
  console.error(describeFailures(`Unstable: failed in the whole run, and passed ${RUNS_ALONE} times alone:`, whole.failedTests));
  return { passed: whole.passed + whole.failed, failed: 0, failedTests: [] };
}

/**
 * Runs files one after the other, in one Mocha, which writes to the terminal.
 *
 * @param {object} options
 * @param {readonly string[]} options.files
 * @param {readonly string[]} options.mochaArgs
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @param {string} options.name  of what it leaves in the servers' folder
 * @returns {Promise<Counts>}
 */
async function runMocha({ files, mochaArgs, servers, signal, name }) {
  const countsFile = path.join(servers.dir, `${name}.json`);
  const stuck = new AbortController();
  const watch = killWhenStuck(countsFile, stuck);
  const mocha = path.join('node_modules', 'mocha', 'bin', 'mocha.js');
  const end = await runToEnd(
    // strict: Mocha 12 sees an unhandled rejection and passes the test all the same.
    ['--import=tsx', '--unhandled-rejections=strict', mocha, '--config', path.join('test', 'mocharc.json'), ...mochaArgs, ...files],
    {
      cwd: cloneDir,
      env: { ...process.env, ...servers.env, ...(await servers.chartTools()), TEST_COUNTS_FILE: countsFile },
      onSpawn: (ref) => servers.endWithUs({ stopGroup: ref }),
      signal: AbortSignal.any([signal, stuck.signal]),
    },
  );
  clearInterval(watch);

  const ending = endingOf(end);
  if (!existsSync(countsFile)) return failedRun(`The tests ended before they were done (${ending}).`);
  const counts = countsOf(JSON.parse(readFileSync(countsFile, 'utf8')));
  return sum([counts, ...failuresBehind({ hasFailed: counts.failed > 0, isStuck: stuck.signal.aborted, ending, isOk: end.code === 0 })]);
}

/**
 * Tests close what they open; an open socket would keep Mocha alive for ever, and --exit would hide it.
 * @param {string} countsFile appears when the last test is over
 * @param {AbortController} stuck
 */
function killWhenStuck(countsFile, stuck) {
  let doneAt = Infinity;
  return setInterval(() => {
    if (doneAt === Infinity && existsSync(countsFile)) doneAt = performance.now();
    if (performance.now() - doneAt > EXIT_WITHIN_MS) stuck.abort(new Error('left running'));
  }, 500);
}
