import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import type { ServiceProcess } from '../support/service.js';

/** Resident memory of a process, in MiB, as the kernel counts it. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Math.round(Number(kib) / 1_024);
}

/** Sockets that a process has open. */
export function openSockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith('socket:')).length;
}

/** To be given to a process whose heap will be asked for. */
export const tellsItsHeap = { NODE_OPTIONS: `--import=${new URL('./preload/heap-on-signal.mjs', import.meta.url).href}` };

/**
 * What its heap holds when all garbage is collected, in MiB with one decimal.
 * @param nth how often it has been asked, this time included
 */
export async function heapMiB(process_: ServiceProcess, nth: number): Promise<number> {
  process.kill(process_.pid, 'SIGUSR2');
  const [, bytes] = await process_.hasWritten(new RegExp(`heap after garbage collection ${nth}: (\\d+) bytes`));
  return Math.round(Number(bytes) / 104_857.6) / 10;
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // closed since the folder was read
  }
}
