import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * One process of this machine. A pid alone does not identify it: after a crash or a reboot another one has it.
 * @typedef {{pid: number, identity: string}} ProcessRef  identity: when it started, e.g. "6c1e…:48213"
 */

/**
 * @param {number} pid
 * @returns {string | null} the same text for as long as this very process lives; null when it is gone.
 *   A zombie counts as gone: in some containers it is never collected.
 */
function identityOf(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return process.platform === 'linux' ? identityFromProc(pid) : identityFromPs(pid);
}

/** @param {number} pid */
function identityFromProc(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may itself hold spaces and brackets; the numbers start after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    // Start times count from boot, so the boot belongs to the name.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot}:${fields[19]}`;
  } catch {
    // No such process, or it ended between the two reads.
    return null;
  }
}

/** @param {number} pid */
function identityFromPs(pid) {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state = '', ...started] = line.split(/\s+/);
    return line === '' || state.startsWith('Z') ? null : started.join(' ');
  } catch {
    // ps answers 1 for a pid that does not exist.
    return null;
  }
}

/** @returns {ProcessRef} this very process */
export function ownProcessRef() {
  return processRef(process.pid) ?? { pid: process.pid, identity: 'unknown' };
}

/**
 * @param {number | undefined} pid
 * @returns {ProcessRef | null} null when it is gone already
 */
export function processRef(pid) {
  const identity = pid === undefined ? null : identityOf(pid);
  return pid === undefined || identity === null ? null : { pid, identity };
}

/**
 * @param {ProcessRef} ref
 * @returns {boolean} whether this very process still lives (not another one with its pid)
 */
export function isRunning(ref) {
  return identityOf(ref.pid) === ref.identity;
}

/**
 * Signals exactly this process, never a stranger that got its pid.
 * @param {ProcessRef} ref
 * @param {NodeJS.Signals} signal
 */
export function signalProcess(ref, signal) {
  if (!isRunning(ref)) return;
  try {
    process.kill(ref.pid, signal);
  } catch (error) {
    // It may end between the look and the signal.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * @param {number} pid
 * @returns {string} its command line, '' when it is gone or hidden
 */
export function commandLineOf(pid) {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // Gone: the caller asks because it is not sure.
    return '';
  }
}

/**
 * @param {number} pid
 * @returns {string} the folder it works in, '' when it is gone or hidden
 */
export function workingDirOf(pid) {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`);
    const lines = execFileSync('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return /^n(.*)$/m.exec(lines)?.[1] ?? '';
  } catch {
    return '';
  }
}
