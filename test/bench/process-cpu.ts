import { readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';

/** Of the clock in which the kernel counts the CPU time of a process. */
const TICKS_PER_SECOND = 100;

/**
 * User and system time that a running process has used since its start, us. Two rates of one machine differ by more than a few percent from
 * round to round; what a task costs does not.
 */
export function cpuTimeUs({ pid }: Pick<ChildProcess, 'pid'>): number {
  // proc(5): behind the name, which may have spaces in it, utime and stime are the 12th and 13th field.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND;
}

/** The most memory that a running process has had, MiB. */
export function peakMemoryMiB({ pid }: Pick<ChildProcess, 'pid'>): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}
