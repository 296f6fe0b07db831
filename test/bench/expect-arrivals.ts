import type { ChildProcess } from 'node:child_process';
import { message } from './process.js';

/** Lets receivers/neighbours.ts count from here on, and say `done` when so many have come. */
export async function expectArrivals(receivers: ChildProcess, expected: { readonly fast: number; readonly slow: number }): Promise<void> {
  receivers.send(expected);
  await message(receivers, 'ready');
}
