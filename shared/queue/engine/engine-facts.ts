import { createRequire } from 'node:module';
import { Job, Worker, type MinimalJob, type Queue } from 'bullmq';
import { loopMethods, type LoopMethodName } from './bullmq-contract.js';
import { definedScripts, type DefinedScripts } from './defined-scripts.js';
import { recordPriorityChange } from './priority-change.js';
import { recordPromotion } from './promote-job.js';
import { putBackArguments } from './put-back.js';
import type { QueueClient } from './queue-client.js';
import { recordAdds } from './recorded-add.js';
import { recordRestart } from './restart-job.js';
import { recordStallCheck } from './take-over-script.js';
import { backendOf } from './transition-fields.js';

/** The call that BullMQ makes of one of its scripts. */
interface CalledScript {
  /** Its name without BullMQ's version. */
  readonly script: string;
  readonly args: readonly unknown[];
}

/** The facts about the installed libraries that this folder relies on. */
export interface EngineFacts {
  readonly bullmqVersion: unknown;
  readonly scripts: DefinedScripts;
  /**
   * The arguments that BullMQ itself passes to some of its scripts, keys first, for the job `jobId` with the key
   * `jobKey`.
   */
  readonly calls: readonly CalledScript[];
  /** The arguments of moveToFinished, for two jobs that end in two sets. */
  readonly ends: readonly [readonly unknown[], readonly unknown[]];
  /** Whether a job of BullMQ's sends its transitions through the backend of its queue. */
  readonly sharesBackend: boolean;
  /** The methods of a worker's loop, as BullMQ wrote them. */
  readonly loop: Readonly<Record<LoopMethodName, unknown>>;
  readonly jobId: string;
  readonly jobKey: string;
  /** What all keys of the queue begin with. */
  readonly keyPrefix: string;
}

/** No task has these ids: see `jobIdOf` in names.ts. */
const JOB_ID = 'engine-check';
const OTHER_ID = 'engine-check-2';

/**
 * Asks the libraries; it sends nothing to Redis.
 * @throws EngineMismatchError when they cannot even be asked
 */
export async function readEngineFacts(queue: Queue, client: QueueClient): Promise<EngineFacts> {
  const { version } = createRequire(import.meta.url)('bullmq/package.json') as { version?: unknown };
  const backend = queue.getBackend();
  // BullMQ reads only these parts of the job.
  const job = { id: JOB_ID, opts: {} } as MinimalJob;
  const otherJob = { id: OTHER_ID, opts: {} } as MinimalJob;
  return {
    bullmqVersion: version,
    scripts: definedScripts(client),
    calls: [
      ...recordAdds(queue).map(({ command, args }) => ({ script: command.split(':', 1)[0] ?? '', args })),
      await recordPromotion(queue, JOB_ID),
      await recordRestart(queue, JOB_ID),
      await recordStallCheck(queue),
      await recordPriorityChange(queue, JOB_ID, 1),
      { script: 'moveToDelayed', args: putBackArguments(queue, { jobId: JOB_ID, token: '', at: 0, delayMs: 0, fields: {} }) },
    ],
    ends: [backend.moveToCompletedArgs(job, '', false, '', true), backend.moveToFailedArgs(otherJob, '', false, '', true)],
    sharesBackend: backendOf(new Job(queue, '', {}, {}, JOB_ID)) === backend,
    loop: loopMethodsOf(backend),
    jobId: JOB_ID,
    jobKey: queue.toKey(JOB_ID),
    keyPrefix: queue.toKey(''),
  };
}

function loopMethodsOf(backend: object): EngineFacts['loop'] {
  // Some of them are private. Only their texts are looked at.
  const owners = { Worker: Worker.prototype, Job: Job.prototype, backend } as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const entries = Object.keys(loopMethods).map((name) => {
    const [owner = '', method = ''] = name.split('.');
    return [name, owners[owner]?.[method]] as const;
  });
  return Object.fromEntries(entries) as EngineFacts['loop'];
}
