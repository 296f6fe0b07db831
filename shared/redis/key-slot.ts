import { Command } from 'ioredis';

/** So many slots a Cluster has, always. */
export const SLOTS = 16_384;

/** @returns the slot of a Cluster that has the key, 0 to 16,383: the client finds the node by the same function */
export function keySlot(key: string): number {
  return new Command('exists', [key]).getSlot();
}
