import type { Queue, Worker } from 'bullmq';
import { bullmqScripts } from './bullmq-contract.js';
import { luaFunction } from './bullmq-script.js';
import type { DefinedScripts } from './defined-scripts.js';

/** A job that its worker gives back into the delayed set. No attempt is counted. */
export interface PutBack {
  readonly jobId: string;
  /** Lock token of the worker that holds the job. */
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly delayMs: number;
  /** Further fields to be written into the job; names as in job-fields.ts. */
  readonly fields: Readonly<Record<string, string | number>>;
}

/** The number of keys among the arguments below. */
export const PUT_BACK_KEYS = bullmqScripts.moveToDelayed.keys;

/** Lua: `putBack(KEYS, ARGV)`, BullMQ's moveToDelayed. 0, or what `putBackError` explains. */
export function putBackFunction(scripts: DefinedScripts): string {
  return luaFunction(scripts, 'moveToDelayed', 'putBack');
}

/** @returns KEYS, then ARGV of `putBack` */
export function putBackArguments(queue: Queue, { jobId, token, at, delayMs, fields }: PutBack): readonly (string | number | Buffer)[] {
  return queue.getBackend().moveToDelayedArgs(jobId, at, token, delayMs, { skipAttempt: true, fieldsToUpdate: fields });
}

/** BullMQ's error for an answer of `putBack`, such as a lock that is gone. */
export function putBackError(queue: Queue, code: number, jobId: string): Error {
  return queue.getBackend().finishedErrors({ code, jobId, command: 'moveToDelayed', state: 'active' });
}

/** Puts a job back by BullMQ's script alone. @throws when the worker has lost the job, or Redis fails */
export async function putBack(worker: Worker, { jobId, token, at, delayMs, fields }: PutBack): Promise<void> {
  await worker.getBackend().moveToDelayed(jobId, at, delayMs, token, { skipAttempt: true, fieldsToUpdate: fields });
}
