import type { Shard } from '../engine/shard.js';
import { MOST_WAITING_LISTS } from '../search/held-tasks-lua.js';

/** How a shard stood when a search of it began. It is plain JSON. */
export interface ScanMark {
  /** Redis' time, ms. */
  readonly at: number;
  /** BullMQ counts the jobs that become due. Each of them bears its number in the set of due jobs. */
  readonly dueCounter: number;
  /** Lengths of the lists and sets that tasks leave and enter when they move. */
  readonly lengths: string;
  /** The tasks that flow control holds are read by themselves. Cursors of older versions say nothing of them. */
  readonly readsHeld?: true;
}

export async function readScanMark(shard: Shard): Promise<ScanMark> {
  const { at, dueCounter, lengths, waitingLists } = await read(shard, '');
  return { at, dueCounter, lengths, ...(waitingLists > MOST_WAITING_LISTS.atBegin ? {} : { readsHeld: true }) };
}

/** What may have happened in a shard since its search began. */
export interface SinceMark {
  /** No task has moved, so none can have been overlooked. */
  readonly isQuiet: boolean;
  readonly lengths: string;
}

export async function readSinceMark(shard: Shard, mark: ScanMark): Promise<SinceMark> {
  const { dueCounter, lengths, ended, due } = await read(shard, mark.at);
  return { isQuiet: dueCounter === mark.dueCounter && lengths === mark.lengths && ended === 0 && due === 0, lengths };
}

/** The lists among the lengths: BullMQ's `wait` and `paused`. */
export function listLengths({ lengths }: Pick<ScanMark, 'lengths'>): string {
  return lengths.split(' ', 2).join(' ');
}

async function read({ client, keys }: Shard, since: number | ''): Promise<ScanMark & { readonly ended: number; readonly due: number; readonly waitingLists: number }> {
  const { wait, paused, prioritized, active, completed, failed, delayed, base } = keys;
  const reply: unknown = await client.runCommand('krsScanMark', [wait, paused, prioritized, active, completed, failed, delayed, `${base}pc`, keys.waitingLists, since]);
  // The script's own answer.
  const [at, dueCounter, lengths, ended, due, waitingLists] = reply as [number, number, string, number, number, number];
  return { at, dueCounter, lengths, ended, due, waitingLists };
}

export function isScanMark(value: unknown): value is ScanMark {
  if (typeof value !== 'object' || value === null) return false;
  const { at, dueCounter, lengths, readsHeld } = value as Readonly<Record<string, unknown>>;
  return (readsHeld === undefined || readsHeld === true) && Number.isSafeInteger(at) && Number.isSafeInteger(dueCounter) && typeof lengths === 'string';
}
