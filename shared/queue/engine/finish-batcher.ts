import { createRedisBackend, type BackendFactory, type RedisQueueBackend } from 'bullmq';
import type { BullmqScriptName } from './bullmq-contract.js';
import { defineFinishScript, finishArguments, jobIdOfFinish, readFinish, type FinishArguments } from './finish-script.js';
import type { QueueClient } from './queue-client.js';
import { ToldEnds } from './told-ends.js';

/** With more jobs at once, Redis and the worker would take turns instead of working side by side. */
const MAX_GROUP = 16;
/** A reply brings the next jobs, and Redis builds the whole reply before it sends the first byte. */
const MAX_REPLY_BYTES = 1_048_576;
/** The assumed size of a job before the first one was seen. */
const FIRST_GUESS_BYTES = MAX_REPLY_BYTES / MAX_GROUP;
/** How slowly the size of a large job is forgotten, because small jobs may stand between large ones. */
const REMEMBERED_SIZE = 0.9;

const FINISH: BullmqScriptName = 'moveToFinished';

interface Waiting {
  readonly args: FinishArguments;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * BullMQ's own backend, except that jobs which end in one turn of the event loop share a call: see finish-script.ts.
 * @param told ends that bulk actions are told in that call
 */
export function batchingBackend(told: ToldEnds): BackendFactory<RedisQueueBackend> {
  return (name, options, connections) => batchingOf(createRedisBackend(name, options, connections), told);
}

/** The same for a queue without bulk actions. */
export const createBatchingBackend: BackendFactory<RedisQueueBackend> = batchingBackend(new ToldEnds());

function batchingOf(backend: RedisQueueBackend, told: ToldEnds): RedisQueueBackend {
  const execute = backend.execCommand.bind(backend);
  let batcher: FinishBatcher | undefined;
  backend.execCommand = (client, command, args: FinishArguments): unknown => {
    if (command !== FINISH) return execute(client, command, [...args]);
    // BullMQ finishes single jobs, never inside a MULTI.
    batcher ??= new FinishBatcher(client as QueueClient, told);
    return batcher.finish(args);
  };
  return backend;
}

/** Collects the jobs that end in one turn of the event loop. Each caller gets its own answer or error. */
class FinishBatcher {
  #waiting: Waiting[] = [];
  #jobBytes = FIRST_GUESS_BYTES;

  constructor(
    private readonly client: QueueClient,
    private readonly told: ToldEnds,
  ) {
    defineFinishScript(client);
  }

  finish(args: FinishArguments): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => void this.#send());
      this.#waiting.push({ args, resolve, reject });
      if (this.#waiting.length >= this.#mostAtOnce) void this.#send();
    });
  }

  get #mostAtOnce(): number {
    return Math.min(MAX_GROUP, Math.floor(MAX_REPLY_BYTES / this.#jobBytes));
  }

  async #send(): Promise<void> {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    try {
      const args = finishArguments(group.map(({ args: own }) => ({ args: own, told: this.told.of(jobIdOfFinish(own)) })));
      // The answer is that of our script: one element for each job.
      const replies = (await this.client.runCommand('krsFinish', args)) as readonly unknown[];
      this.#learnSize(replies);
      group.forEach(({ resolve, reject }, index) => {
        const reply = replies[index];
        if (reply instanceof Error) reject(reply);
        else resolve(readFinish(reply));
      });
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  #learnSize(replies: readonly unknown[]): void {
    this.#jobBytes *= REMEMBERED_SIZE;
    for (const reply of replies) this.#jobBytes = Math.max(this.#jobBytes, jobBytesOf(reply));
  }
}

/** @param reply of krsFinish for one job: the next job's fields in its first element, its data before all others */
function jobBytesOf(reply: unknown): number {
  const fields: unknown = Array.isArray(reply) ? reply[0] : undefined;
  const data: unknown = Array.isArray(fields) ? fields[0] : undefined;
  return typeof data === 'string' ? data.length : 0;
}
