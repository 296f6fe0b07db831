import type { Shard } from '../engine/shard.js';

/** One step of a sweep over the finished records of a shard, the oldest first. */
export interface SweepStep {
  /** Records that finished before this time are removed; ms since the epoch. */
  readonly removeBefore: number;
  /** Records above this number are removed, however young; undefined keeps any number. */
  readonly keepAtMost?: number;
  /** The number of records to look at. */
  readonly records: number;
  /** The finishing time to begin at; with `(` before it, only later ones; `-inf` is the oldest. */
  readonly from: string;
}

export interface Swept {
  readonly removed: number;
  readonly looked: number;
  /** The finishing time of the last record that was looked at. */
  readonly last: string;
}

/** Delivered and cancelled tasks. */
export function sweepCompleted({ client, keys }: Shard, step: SweepStep): Promise<Swept> {
  return sweep(client, [keys.completed, keys.parked], keys.base, step, false);
}

/** Removes dead letters, but never the last copy of a task. */
export function sweepDeadLetters({ client, keys }: Shard, step: SweepStep): Promise<Swept> {
  return sweep(client, [keys.failed, keys.parked], keys.base, step, true);
}

async function sweep(client: Shard['client'], sets: readonly string[], base: string, { removeBefore, keepAtMost = -1, records, from }: SweepStep, sparesLastCopies: boolean): Promise<Swept> {
  const reply: unknown = await client.runCommand('krsSweep', [...sets, base, removeBefore, keepAtMost, records, from, sparesLastCopies ? '1' : '0']);
  // The script's own answer: see sweep-script.ts.
  const [removed, looked, last] = reply as [number, number, string];
  return { removed, looked, last };
}
