import { writeFileSync } from 'node:fs';
import path from 'node:path';

import Mocha from 'mocha';

/** Where the time of a run goes is looked for in few files, and only in long runs. */
const [SLOWEST, SLOW_FILE_MS] = [15, 3_000];
/** Lines of a stack that the end of the run repeats. */
const STACK_LINES = 12;

/**
 * @typedef {object} FailedTest
 * @property {string} file   relative to the clone, e.g. 'test/chaos/burst.test.ts'
 * @property {string} title  all its names, from the outermost describe on
 * @property {string} error  the message and the first lines of the stack
 */

/**
 * Mocha's spec reporter, which also leaves the numbers and the failed tests in the file that TEST_COUNTS_FILE names: the screen's text is
 * for people and may change with the next Mocha.
 */
export default class CountReporter extends Mocha.reporters.Spec {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options);
    /** @type {FailedTest[]} */
    const failedTests = [];
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      const file = test.file === undefined ? '(no file)' : path.relative(process.cwd(), test.file);
      failedTests.push({ file, title: test.fullTitle(), error: String(error?.stack ?? error).split('\n').slice(0, STACK_LINES).join('\n') });
    });
    const msOf = msOfFiles(runner);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.TEST_COUNTS_FILE;
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      if (file !== undefined) writeFileSync(file, JSON.stringify({ passes, failures, pending, failedTests }));
      printSlowest(msOf);
    });
  }
}

/**
 * @param {Mocha.Runner} runner
 * @returns {Record<string, number>} the time that went by with each file, its hooks included, in ms; filled while the tests run
 */
function msOfFiles(runner) {
  /** @type {Record<string, number>} */
  const msOf = {};
  let before = performance.now();
  /** @param {Mocha.Runnable} ended */
  const count = ({ file }) => {
    const now = performance.now();
    if (file !== undefined) msOf[path.relative(process.cwd(), file)] = (msOf[path.relative(process.cwd(), file)] ?? 0) + now - before;
    before = now;
  };
  runner.on(Mocha.Runner.constants.EVENT_TEST_END, count);
  runner.on(Mocha.Runner.constants.EVENT_HOOK_END, count);
  return msOf;
}

/** @param {Readonly<Record<string, number>>} msOf */
function printSlowest(msOf) {
  const slowest = Object.entries(msOf).filter(([, ms]) => ms >= SLOW_FILE_MS).sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  if (slowest.length < 2) return;
  console.log(`  Slowest files\n${slowest.map(([file, ms]) => `${(ms / 1_000).toFixed(1).padStart(8)} s  ${file}`).join('\n')}\n`);
}
