import { writeFileSync } from 'node:fs';
import path from 'node:path';

import Mocha from 'mocha';

import { describeMostCostly, minus, plus, timesSoFar } from './file-times.mjs';
import { EXIT_WITHIN_MS, tellWhatIsOpen } from './left-open.mjs';

/** Lines of a stack that the end of the run repeats. */
const STACK_LINES = 12;

/**
 * @typedef {object} FailedTest
 * @property {string} file   relative to the clone, e.g. 'test/chaos/burst.test.ts'
 * @property {string} title  all its names, from the outermost describe on
 * @property {string} error  the message and the first lines of the stack
 */

/**
 * @typedef {object} RunCounts
 * @property {number} passes
 * @property {number} failures
 * @property {number} pending
 * @property {FailedTest[]} failedTests
 */

/**
 * Mocha's spec reporter, which also gives the numbers and the failed tests to `reporterOptions.onCounts`, or else leaves them in the file that
 * TEST_COUNTS_FILE names: the screen's text is for people and may change with the next Mocha.
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
    const timesOf = timesOfFiles(runner);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      const counts = { passes, failures, pending, failedTests };
      const onCounts = options.reporterOptions?.onCounts;
      // One or the other: a test may start a run of its own, and the file is that of the run around it.
      if (onCounts !== undefined) onCounts(counts);
      else if (process.env.TEST_COUNTS_FILE !== undefined) {
        writeFileSync(process.env.TEST_COUNTS_FILE, JSON.stringify(counts));
        tellWhatIsOpen(EXIT_WITHIN_MS);
      }
      const costly = describeMostCostly(timesOf);
      if (costly !== '') console.log(costly);
    });
  }
}

/**
 * @param {Mocha.Runner} runner
 * @returns {Map<string, import('./file-times.mjs').Times>} what went by with each file, its hooks included; filled while the tests run
 */
function timesOfFiles(runner) {
  /** @type {Map<string, import('./file-times.mjs').Times>} */
  const timesOf = new Map();
  let before = timesSoFar();
  /** @param {Mocha.Runnable} ended */
  const count = ({ file }) => {
    const now = timesSoFar();
    if (file !== undefined) {
      const name = path.relative(process.cwd(), file);
      timesOf.set(name, plus(timesOf.get(name) ?? { wallMs: 0, cpuMs: 0 }, minus(now, before)));
    }
    before = now;
  };
  runner.on(Mocha.Runner.constants.EVENT_TEST_END, count);
  runner.on(Mocha.Runner.constants.EVENT_HOOK_END, count);
  return timesOf;
}
