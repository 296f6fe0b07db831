/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {string} [why]  a failure that is no test's own
 * @property {readonly import('./count-reporter.mjs').FailedTest[]} failedTests
 */

/**
 * @param {import('./count-reporter.mjs').RunCounts} counts
 * @returns {Counts}
 */
export function countsOf({ passes, failures, pending, failedTests }) {
  // With forbidPending Mocha fails skipped tests. This counts them too, in case the option is removed.
  return { passed: passes, failed: failures + pending, failedTests };
}

/**
 * @param {readonly Counts[]} counts
 * @returns {Counts}
 */
export function sum(counts) {
  const whys = counts.flatMap(({ why }) => why ?? []);
  return {
    passed: counts.reduce((passed, part) => passed + part.passed, 0),
    failed: counts.reduce((failed, part) => failed + part.failed, 0),
    failedTests: counts.flatMap(({ failedTests }) => failedTests),
    ...(whys.length > 0 && { why: whys.join('\n') }),
  };
}

/**
 * @param {string} why
 * @returns {Counts} of tests that did not run to their end
 */
export function failedRun(why) {
  return { passed: 0, failed: 1, why, failedTests: [] };
}

/**
 * What went wrong behind the last test of a process.
 *
 * @param {object} options
 * @param {boolean} options.hasFailed  a test of the files that are run again
 * @param {boolean} options.isStuck    it did not end by itself
 * @param {string} options.ending      see endingOf
 * @param {boolean} options.isOk       it ended with 0
 * @param {string} [options.lastFile]  of several that it ran, which can be run again. That file may have left something open, or any before it: run alone, it shows
 * @param {readonly string[]} [options.leftOpen]  see left-open.mjs
 * @returns {Counts[]} one, or none
 */
export function failuresBehind({ hasFailed, isStuck, ending, isOk, lastFile, leftOpen = [] }) {
  // A test that fails in the middle leaves open what it would have closed. Its file is run again, and shows whether that was all.
  if (hasFailed) return [];
  if (isStuck && lastFile !== undefined) return [{ passed: 0, failed: 1, failedTests: [{ file: lastFile, title: '(behind its tests)', error: ['something that it, or a file before it, has opened was left running', ...leftOpen].join('\n') }] }];
  if (isStuck) return [failedRun('The tests were done, but something they opened was left running.')];
  return isOk ? [] : [failedRun(`The run failed after its tests (${ending}).`)];
}

/**
 * @param {{code: number, killedBy: NodeJS.Signals | null}} end
 * @returns {string} `exit code 1`, `SIGKILL`
 */
export function endingOf({ code, killedBy }) {
  return killedBy ?? `exit code ${code}`;
}
