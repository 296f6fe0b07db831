import { openFileLimit } from '../../shared/lifecycle/open-files.js';

/** Files that this process opens for other things than connections of clients: Redis, logs, its code. */
const RESERVED_FILES = 64;

/**
 * How many connections a process can hold: each of them is an open file. With more, the system resets new ones, and
 * nothing is logged.
 * @param wanted    the operator's limit
 * @param openFiles the system's limit of open files; where it does not say, the operator's counts alone
 */
export function connectionLimit(wanted: number, openFiles = openFileLimit()): number {
  return Math.max(1, Math.min(wanted, openFiles - RESERVED_FILES));
}
