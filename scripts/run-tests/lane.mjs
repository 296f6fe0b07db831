// A lane of the whole run: a process that runs the files it is sent, one after the other, each in a Mocha of its own, and reports on
// each. What many files import is compiled once. It ends by itself when the channel closes, unless a test has left something open.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import Mocha from 'mocha';

import CountReporter from './count-reporter.mjs';
import { minus, timesSoFar } from './file-times.mjs';

/** @typedef {import('./count-reporter.mjs').RunCounts} RunCounts */

/** @type {import('./count-reporter.mjs').FailedTest[]} errors that came when a file was done: something it had begun went on */
let lateErrors = [];
let file = '(no file yet)';
let isRunning = false;

// While tests run, Mocha hears of it too, and fails the test.
process.on('uncaughtException', (error) => {
  if (isRunning) return;
  console.error(error);
  lateErrors.push({ file, title: '(behind its last test)', error: String(error.stack ?? error) });
  // Nobody may ask for a report any more.
  process.exitCode = 1;
});

const settings = JSON.parse(readFileSync(path.join('test', 'mocharc.json'), 'utf8'));

process.on('message', (/** @type {{file: string, env: NodeJS.ProcessEnv}} */ next) => {
  ({ file } = next);
  Object.assign(process.env, next.env);
  const before = timesSoFar();
  isRunning = true;
  void runFile(file)
    .catch((error) => /** @type {RunCounts} */ ({ passes: 0, failures: 1, pending: 0, failedTests: [{ file, title: '(the file as a whole)', error: String(error?.stack ?? error) }] }))
    .then((counts) => {
      isRunning = false;
      const failedTests = [...lateErrors, ...counts.failedTests];
      process.send?.({ file, counts: { ...counts, failures: counts.failures + lateErrors.length, failedTests }, times: minus(timesSoFar(), before) });
      lateErrors = [];
    });
});

/**
 * @param {string} file relative to the clone
 * @returns {Promise<RunCounts>}
 */
async function runFile(file) {
  /** @type {RunCounts | undefined} */
  let counts;
  const mocha = new Mocha({ ...settings, reporter: CountReporter, reporterOptions: { onCounts: (/** @type {RunCounts} */ ended) => { counts = ended; } } });
  mocha.addFile(path.resolve(file));
  await mocha.loadFilesAsync();
  const failures = await new Promise((resolve) => mocha.run(resolve));
  mocha.dispose();
  if (counts === undefined || counts.failures !== failures) throw new Error(`Mocha counted ${failures} failures of ${file}, its reporter ${counts?.failures}.`);
  return counts;
}
