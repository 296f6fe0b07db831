// A lane of the whole run: a process that runs the files it is sent, one after the other, each in a Mocha of its own, and reports on
// each. What many files import is compiled once. It ends by itself when the channel closes, unless a test has left something open.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import Mocha from 'mocha';

import CountReporter from './count-reporter.mjs';
import { minus, timesSoFar } from './file-times.mjs';
import { EXIT_WITHIN_MS, noteOpen, tellWhatIsOpen } from './left-open.mjs';

/** @typedef {import('./count-reporter.mjs').RunCounts} RunCounts */

/** @type {import('./count-reporter.mjs').FailedTest[][]} errors that no test can be charged with, each once for every file that it can come from */
let strayErrors = [];
/** While a file is loaded, something that the one before has begun may go on. */
let suspects = ['(no file yet)'];
let doesMochaListen = false;
let endsWithinMs = EXIT_WITHIN_MS;

process.on('uncaughtException', (error) => {
  if (doesMochaListen) return;
  console.error(error);
  strayErrors.push(suspects.map((file) => ({ file, title: '(outside its tests)', error: String(error?.stack ?? error) })));
  // Nobody asks for a report any more.
  if (!process.connected) process.exitCode = 1;
});
process.on('disconnect', () => {
  tellWhatIsOpen(endsWithinMs);
  if (strayErrors.length > 0) process.exitCode = 1;
});

const settings = JSON.parse(readFileSync(path.join('test', 'mocharc.json'), 'utf8'));

process.on('message', (/** @type {{file: string, env: NodeJS.ProcessEnv, loadWithinMs: number, exitWithinMs: number}} */ { file, env, loadWithinMs, exitWithinMs }) => {
  endsWithinMs = exitWithinMs;
  Object.assign(process.env, env);
  const before = timesSoFar();
  suspects = [...suspects.slice(-1), file];
  void runFile(file, loadWithinMs)
    .catch((error) => /** @type {RunCounts} */ ({ passes: 0, failures: 1, pending: 0, failedTests: [{ file, title: '(the file as a whole)', error: String(error?.stack ?? error) }] }))
    .then((counts) => {
      suspects = [file];
      noteOpen(file);
      const failedTests = [...strayErrors.flat(), ...counts.failedTests];
      process.send?.({ file, counts: { ...counts, failures: counts.failures + strayErrors.length, failedTests }, times: minus(timesSoFar(), before) });
      strayErrors = [];
    });
});

/**
 * @param {string} file relative to the clone
 * @param {number} loadWithinMs
 * @returns {Promise<RunCounts>}
 */
async function runFile(file, loadWithinMs) {
  /** @type {RunCounts | undefined} */
  let counts;
  const mocha = new Mocha({ ...settings, reporter: CountReporter, reporterOptions: { onCounts: (/** @type {RunCounts} */ ended) => { counts = ended; } } });
  mocha.addFile(path.resolve(file));
  await within(loadWithinMs, mocha.loadFilesAsync());
  const failures = await new Promise((resolve) => {
    doesMochaListen = true;
    mocha.run((failed) => {
      doesMochaListen = false;
      resolve(failed);
    });
  });
  mocha.dispose();
  if (counts === undefined || counts.failures !== failures) throw new Error(`Mocha counted ${failures} failures of ${file}, its reporter ${counts?.failures}.`);
  if (counts.passes + counts.failures + counts.pending === 0 && !isLongOnly(file)) throw new Error('It has no tests.');
  return counts;
}

/**
 * @param {number} ms
 * @param {Promise<unknown>} loading a file waits at its top level for what may never come
 */
async function within(ms, loading) {
  /** @type {NodeJS.Timeout | undefined} */
  let limit;
  const late = new Promise((_, reject) => {
    limit = setTimeout(() => reject(new Error(`It was not loaded within ${ms / 1_000} s.`)), ms);
  });
  try {
    await Promise.race([loading, late]);
  } finally {
    clearTimeout(limit);
  }
}

/**
 * @param {string} file
 * @returns {boolean} whether the short form may find nothing to run in it: see scenario() in test/chaos/scenario.ts
 */
function isLongOnly(file) {
  return process.env.CHAOS_PROFILE !== 'long' && readFileSync(file, 'utf8').includes('isLongOnly: true');
}
