import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { runToEnd } from '../processes/child-run.mjs';
import { cloneDir } from '../install/clone-paths.mjs';
import { countsOf, endingOf, failedRun, failuresBehind, sum } from './counts.mjs';
import { EXIT_WITHIN_MS, toldOpen } from './left-open.mjs';
import { PORTS_PART } from '../servers/free-port.mjs';
import { serversOf } from './test-selection.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {import('./file-times.mjs').Times} Times */
/** @typedef {{readonly file: string, readonly counts: import('./count-reporter.mjs').RunCounts, readonly times: Times}} FileReport */

const LOAD_WITHIN_MS = 60_000;

/**
 * Runs files side by side in a few processes, each of which takes the next file when it is done with one: so none of them waits for
 * another at the end. Half of them take from the front, the others from the end.
 *
 * @param {object} options
 * @param {readonly string[]} options.files
 * @param {number} options.lanes
 * @param {import('./test-servers.mjs').TestServers} options.servers
 * @param {AbortSignal} options.signal
 * @param {string} options.name  of what it leaves in the servers' folder
 * @param {number} [options.loadWithinMs]  of each file, what it imports included
 * @param {number} [options.exitWithinMs]  of each process, when it has nothing left to run
 * @param {(text: string) => void} [options.print]  the output of each file, as a whole: lines of several between each other cannot be read
 * @returns {Promise<{counts: Counts, timesOf: Map<string, Times>}>}
 */
export async function runInLanes({ files, lanes, servers, signal, name, loadWithinMs = LOAD_WITHIN_MS, exitWithinMs = EXIT_WITHIN_MS, print = (text) => void process.stdout.write(text) }) {
  const left = [...files];
  /** @type {Map<string, Times>} */
  const timesOf = new Map();
  /** @param {FileReport} report @param {string} output */
  const onReport = ({ file, times }, output) => {
    timesOf.set(file, times);
    print(`\n${file} (${(times.wallMs / 1_000).toFixed(1)} s)\n${output}`);
  };
  const counts = await Promise.all(
    Array.from({ length: Math.min(lanes, files.length) }, (_, nth) =>
      runLane({ next: () => (nth < lanes / 2 ? left.shift() : left.pop()), onReport, print, servers, signal, loadWithinMs, exitWithinMs, ports: `${nth}/${lanes}`, log: path.join(servers.dir, `${name}-lane-${nth}.log`) }),
    ),
  );
  return { counts: sum(counts), timesOf };
}

/**
 * @typedef {object} LaneOptions
 * @property {() => string | undefined} next  the file to run now
 * @property {(report: FileReport, output: string) => void} onReport
 * @property {(text: string) => void} print
 * @property {import('./test-servers.mjs').TestServers} servers
 * @property {AbortSignal} signal
 * @property {number} loadWithinMs
 * @property {number} exitWithinMs
 * @property {string} ports  see PORTS_PART
 * @property {string} log  what it writes
 */

/**
 * @param {LaneOptions} options
 * @returns {Promise<Counts>}
 */
async function runLane(options) {
  /** @type {Counts[]} */
  const counts = [];
  let isOver = false;
  for (let nth = 0; !isOver; nth += 1) {
    const part = await runProcess({ ...options, log: `${options.log}.${nth}` });
    counts.push(part.counts);
    isOver = part.isOver;
  }
  return sum(counts);
}

/**
 * A process of a lane. It runs files until one fails, or none is left: what a failed test left open is the fault of no file behind it.
 *
 * @param {LaneOptions} options
 * @returns {Promise<{counts: Counts, isOver: boolean}>}
 */
async function runProcess({ next, onReport, print, servers, signal, loadWithinMs, exitWithinMs, ports, log }) {
  /** @type {Counts[]} */
  const counts = [];
  /** @type {string | undefined} */
  let running;
  /** @type {string | undefined} */
  let lastFile;
  let hasFailed = false;
  let isOver = false;
  let shown = 0;
  const unshown = () => {
    const written = readFileSync(log);
    const output = written.subarray(shown).toString();
    shown = written.length;
    return output;
  };
  const stuck = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  let limit;
  /** @param {import('node:child_process').ChildProcess} child */
  const end = (child) => {
    running = undefined;
    // Tests close what they open; an open socket would keep the lane alive for ever, and an exit would hide it.
    limit = setTimeout(() => stuck.abort(new Error('left running')), exitWithinMs);
    child.disconnect();
  };
  /** @param {import('node:child_process').ChildProcess} child */
  const runNext = async (child) => {
    const file = signal.aborted ? undefined : next();
    if (file === undefined) {
      isOver = true;
      return end(child);
    }
    running = file;
    try {
      const env = serversOf(file).includes('chart-tools') ? await servers.chartTools() : {};
      child.send({ file, env, loadWithinMs, exitWithinMs });
    } catch (error) {
      counts.push(failedRun(`${file} was not run: ${error instanceof Error ? error.message : error}`));
      await runNext(child);
    }
  };
  const output = openSync(log, 'w');
  try {
    const ended = await runToEnd(['--import=tsx', '--unhandled-rejections=strict', path.join('scripts', 'run-tests', 'lane.mjs')], {
      cwd: cloneDir,
      env: { ...process.env, ...servers.env, [PORTS_PART]: ports },
      onSpawn: (ref) => servers.endWithUs({ stopGroup: ref }),
      signal: AbortSignal.any([signal, stuck.signal]),
      output,
      talk: (child) => {
        child.on('message', (/** @type {FileReport} */ report) => {
          const ofFile = countsOf(report.counts);
          hasFailed = ofFile.failed > 0;
          lastFile = report.file;
          counts.push(ofFile);
          onReport(report, unshown());
          if (hasFailed) end(child);
          else void runNext(child);
        });
        void runNext(child);
      },
    });
    clearTimeout(limit);
    const behindTests = unshown();
    print(behindTests);
    const ending = endingOf(ended);
    const behind = running === undefined ? failuresBehind({ hasFailed, isStuck: stuck.signal.aborted, ending, isOk: ended.code === 0, lastFile, leftOpen: toldOpen(behindTests) }) : [failedRun(`The tests of ${running} ended before they were done (${ending}).`)];
    return { counts: sum([...counts, ...behind]), isOver };
  } finally {
    closeSync(output);
  }
}
