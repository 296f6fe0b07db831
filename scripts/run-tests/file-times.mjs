import { readFileSync } from 'node:fs';

/** Where the time of a run goes is looked for in few files, and only in long runs. */
const [MOST_COSTLY, LONG_FILE_MS] = [25, 3_000];
/** Linux counts in hundredths of a second for programs, whatever its own clock does. */
const MS_PER_TICK = 10;

/**
 * @typedef {object} Times
 * @property {number} wallMs
 * @property {number} cpuMs   of this process and of those it started that have ended
 */

/** @returns {Times} since this process began */
export function timesSoFar() {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1_000 + cpuMsOfChildren() };
}

/**
 * @param {Times} a
 * @param {Times} b
 * @returns {Times}
 */
export function plus(a, b) {
  return { wallMs: a.wallMs + b.wallMs, cpuMs: a.cpuMs + b.cpuMs };
}

/**
 * @param {Times} a
 * @param {Times} b
 * @returns {Times}
 */
export function minus(a, b) {
  return { wallMs: a.wallMs - b.wallMs, cpuMs: a.cpuMs - b.cpuMs };
}

/**
 * Ranked by CPU time: files run side by side on few cores, so what they compute is what makes a run long.
 * @param {ReadonlyMap<string, Times>} timesOf
 * @returns {string} '' when no two files are long
 */
export function describeMostCostly(timesOf) {
  const costly = [...timesOf].filter(([, { wallMs }]) => wallMs >= LONG_FILE_MS).sort(([, a], [, b]) => b.cpuMs - a.cpuMs).slice(0, MOST_COSTLY);
  if (costly.length < 2) return '';
  /** @param {number} ms */
  const seconds = (ms) => `${(ms / 1_000).toFixed(1).padStart(8)} s`;
  const all = [...timesOf.values()].reduce(plus, { wallMs: 0, cpuMs: 0 });
  const rows = [...costly, /** @type {const} */ (['all files', all])];
  return `  Most costly files: the time that went by, and the CPU time of the tests and of what they started\n${rows.map(([name, { wallMs, cpuMs }]) => `${seconds(wallMs)}${seconds(cpuMs)}  ${name}`).join('\n')}\n`;
}

/** @returns {number} 0 where the system does not tell */
function cpuMsOfChildren() {
  try {
    // proc(5): `cutime` and `cstime` are the 16th and 17th field; the 2nd, a name, may hold spaces.
    const behindName = readFileSync('/proc/self/stat', 'utf8').split(') ').pop()?.split(' ') ?? [];
    return (Number(behindName[13]) + Number(behindName[14])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}
