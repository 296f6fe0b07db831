import { readFileSync } from 'node:fs';

/** How many files this process may have open; each connection is one. @returns Infinity where the system does not say */
export function openFileLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    // Only Linux has this file.
    return Infinity;
  }
}
