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
