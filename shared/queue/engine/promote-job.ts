import type { Queue } from 'bullmq';
import { luaFunction } from './bullmq-script.js';
import type { DefinedScripts } from './defined-scripts.js';
import { recordCall, type RecordedCall } from './recorded-call.js';

/**
 * The call of BullMQ's own Job.promote: a delayed job becomes due and keeps its priority. It does nothing to a job that is not
 * delayed.
 * @throws EngineMismatchError when BullMQ promotes in another way
 */
export function recordPromotion(queue: Queue, jobId: string): Promise<RecordedCall> {
  return recordCall(queue.getBackend(), 'promote', (backend) => backend.promote(jobId));
}

/** Lua: `promote(KEYS, ARGV)`, the same for a script of ours. */
export function promoteFunction(scripts: DefinedScripts): string {
  return luaFunction(scripts, 'promote', 'promote');
}
