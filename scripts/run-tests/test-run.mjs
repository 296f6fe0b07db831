import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { runToEnd } from '../processes/child-run.mjs';
import { cloneDir } from '../install/clone-paths.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { reportFailure } from '../processes/setup-error.mjs';
import { selectTests } from './test-selection.mjs';
import { startTestServers } from './test-servers.mjs';
import { describeFailures, filesToRunAlone, RUNS_ALONE } from './unstable-tests.mjs';

/** A process that has nothing left open ends at once; this is for slow machines. */
const EXIT_WITHIN_MS = 15_000;

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {string} [why]  a failure that is no test's own
 * @property {readonly import('./count-reporter.mjs').FailedTest[]} failedTests
 */

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
  if (rounds.length === 0) return { passed: 0, failed: 1, why: 'There are no such tests.', failedTests: [] };
  await readyClone({ signal });
  const servers = await startTestServers({ needed, signal });
  try {
    /** @type {Counts[]} */
    const counts = [];
    for (const [nth, parts] of rounds.entries()) {
      if (!signal.aborted) counts.push(...(await runRound({ parts, mochaArgs, servers, signal, name: `round-${nth}` })));
    }
    const whole = total(counts);
    return args.length > 0 || whole.why !== undefined ? whole : await settleUnstable(whole, { servers, signal });
  } finally {
    await servers.stop();
  }
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
    const [again] = await runRound({ parts: [files], mochaArgs: [], servers, signal, name: `alone-${nth}` });
    if (again === undefined || again.failed > 0 || signal.aborted) return whole;
  }
  console.error(describeFailures(`Unstable: failed in the whole run, and passed ${RUNS_ALONE} times alone:`, whole.failedTests));
  return { passed: whole.passed + whole.failed, failed: 0, failedTests: [] };
}

/**
 * @param {readonly Counts[]} counts of all parts
 * @returns {Counts}
 */
function total(counts) {
  const passed = counts.reduce((sum, part) => sum + part.passed, 0);
  const failed = counts.reduce((sum, part) => sum + part.failed, 0);
  const failedTests = counts.flatMap((part) => part.failedTests);
  const whys = counts.flatMap(({ why }) => why ?? []);
  if (passed + failed === 0) return { passed: 0, failed: 1, why: 'No test was run.', failedTests };
  return whys.length === 0 ? { passed, failed, failedTests } : { passed, failed, why: whys.join('\n'), failedTests };
}

/**
 * Runs the parts of a round side by side. The first one writes to the terminal, the output of the others follows when all have ended:
 * lines of several parts between each other could not be read.
 *
 * @param {object} options
 * @param {readonly (readonly string[])[]} options.parts  their files
 * @param {readonly string[]} options.mochaArgs
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @param {string} options.name  of what it leaves in the servers' folder
 * @returns {Promise<Counts[]>} one of each part
 */
async function runRound({ parts, mochaArgs, servers, signal, name }) {
  const outputs = parts.slice(1).map((_, nth) => {
    const file = path.join(servers.dir, `${name}-${nth + 1}.log`);
    return { file, descriptor: openSync(file, 'w') };
  });
  try {
    return await Promise.all(
      parts.map((files, nth) => runMocha({ files, mochaArgs, servers, signal, countsFile: path.join(servers.dir, `${name}-${nth}.json`), output: outputs[nth - 1]?.descriptor })),
    );
  } finally {
    for (const { file, descriptor } of outputs) {
      closeSync(descriptor);
      process.stdout.write(readFileSync(file));
    }
  }
}

/**
 * @param {object} options
 * @param {readonly string[]} options.files
 * @param {readonly string[]} options.mochaArgs
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @param {string} options.countsFile
 * @param {number | undefined} options.output  an open file; undefined = the terminal
 * @returns {Promise<Counts>}
 */
async function runMocha({ files, mochaArgs, servers, signal, countsFile, output }) {
  const stuck = new AbortController();
  const watch = killWhenStuck(countsFile, stuck);
  const mocha = path.join('node_modules', 'mocha', 'bin', 'mocha.js');
  const { code, killedBy } = await runToEnd(
    // strict: Mocha 12 sees an unhandled rejection and passes the test all the same.
    ['--import=tsx', '--unhandled-rejections=strict', mocha, '--config', path.join('test', 'mocharc.json'), ...mochaArgs, ...files],
    {
      cwd: cloneDir,
      env: { ...process.env, ...servers.env, TEST_COUNTS_FILE: countsFile },
      onSpawn: (ref) => servers.endWithUs({ stopGroup: ref }),
      signal: AbortSignal.any([signal, stuck.signal]),
      output,
    },
  );
  clearInterval(watch);

  if (!existsSync(countsFile)) {
    return { passed: 0, failed: 1, why: `The tests ended before they were done (${killedBy ?? `exit code ${code}`}).`, failedTests: [] };
  }
  const { passes, failures, pending, failedTests } = JSON.parse(readFileSync(countsFile, 'utf8'));
  // With forbidPending Mocha fails skipped tests. This counts them too, in case the option is removed.
  const failed = failures + pending;
  // A test that fails in the middle leaves open what it would have closed. Its file is run again, and shows whether that was all.
  if (stuck.signal.aborted && failed === 0) {
    return { passed: passes, failed: 1, why: 'The tests were done, but something they opened was left running.', failedTests };
  }
  if (code !== 0 && failed === 0) {
    return { passed: passes, failed: 1, why: `Every test passed, but the run failed after them (${killedBy ?? `exit code ${code}`}).`, failedTests };
  }
  return { passed: passes, failed, failedTests };
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
