import type { RedisQueueBackend } from 'bullmq';
import type { BullmqScriptName } from './bullmq-contract.js';
import { EngineMismatchError } from './engine-mismatch.js';

/** A script of BullMQ's with the arguments that BullMQ itself passes to it, keys first. */
export interface RecordedCall {
  readonly script: BullmqScriptName;
  readonly args: readonly unknown[];
}

/** With this answer promote and reprocessJob report success. */
const DONE = 1;

/**
 * Records the call that a method of BullMQ's would send, without sending it. So BullMQ itself gives the order of its
 * keys, which is not repeated by hand, and the call can be made in a script of ours.
 * @throws EngineMismatchError when the method runs another script, or more than one
 */
export async function recordCall(backend: RedisQueueBackend, script: BullmqScriptName, call: (recording: RedisQueueBackend) => Promise<unknown>): Promise<RecordedCall> {
  const recorded: { command: unknown; args: readonly unknown[] }[] = [];
  const execCommand = (_client: unknown, command: unknown, args: readonly unknown[]): number => {
    recorded.push({ command, args: [...args] });
    return DONE;
  };
  // All other members are the backend's own. Object.create has no type for that.
  await call(Object.create(backend, { execCommand: { value: execCommand } }) as RedisQueueBackend);
  const [{ command, args } = { command: undefined, args: [] }] = recorded;
  if (command !== script || recorded.length !== 1) {
    throw new EngineMismatchError([`bullmq: expected one call of the script ${script}, found ${recorded.map((each) => String(each.command)).join(', ') || 'none'}`]);
  }
  return { script, args };
}
