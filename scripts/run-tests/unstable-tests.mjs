import path from 'node:path';

/** Of more files than this the fault is not in the tests. */
const MAX_FILES = 3;
/** A race that shows in every second run fails one of the two in three cases of four. */
export const RUNS_ALONE = 2;

/**
 * The files to run again, alone, behind a whole run in which tests failed. A machine that is crowded for seconds fails one of several
 * thousand tests whose limits are about times, and that says nothing about the code. The tests that need neither a server nor a clock are
 * never run again, and neither is a run with failures in many files.
 *
 * @param {readonly import('./count-reporter.mjs').FailedTest[]} failedTests
 * @returns {string[]} relative to the clone; empty = every failure stands
 */
export function filesToRunAlone(failedTests) {
  const files = [...new Set(failedTests.map(({ file }) => file))];
  const canDependOnTime = files.every((file) => file.startsWith(`test${path.sep}`) && !file.startsWith(path.join('test', 'unit')));
  return canDependOnTime && files.length <= MAX_FILES ? files : [];
}

/**
 * @param {string} heading
 * @param {readonly import('./count-reporter.mjs').FailedTest[]} failedTests
 * @returns {string} for the end of a long output, whose middle nobody finds again
 */
export function describeFailures(heading, failedTests) {
  const tests = failedTests.map(({ file, title, error }) => `  ${title}\n    ${file}\n${error.replace(/^/gm, '      ')}`);
  return `\n${heading}\n${tests.join('\n')}`;
}
