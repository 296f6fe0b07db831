import { readFileSync } from 'node:fs';

/** Files that this process opens for other things than connections of clients: Redis, logs, its code. */
const RESERVED_FILES = 64;

/**
 * How many connections a process can hold: each of them is an open file. With more, the system resets new ones, and
 * nothing is logged.
 * @param wanted    the operator's limit
 * @param openFiles the system's limit of open files
 */
export function connectionLimit(wanted: number, openFiles = openFileLimit()): number {
  return Math.max(1, Math.min(wanted, openFiles - RESERVED_FILES));
}

/** @returns Infinity where the system does not say */
function openFileLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    // Only Linux has this file. Elsewhere the operator's limit counts alone.
    return Infinity;
  }
}
