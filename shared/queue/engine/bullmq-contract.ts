/** The BullMQ whose source was read for this folder. package.json pins the same. */
export const BULLMQ_VERSION = '6.7.0';

/** The keys and arguments of one of BullMQ's scripts. */
export interface ScriptShape {
  readonly keys: number;
  /** The highest ARGV that its text reads. */
  readonly values: number;
}

/** Scripts of BullMQ's that a task depends on. We embed or call some ourselves; the others change what we read. */
export const bullmqScripts = {
  addDelayedJob: { keys: 6, values: 3 },
  addPrioritizedJob: { keys: 9, values: 3 },
  moveToActive: { keys: 11, values: 3 },
  moveToFinished: { keys: 14, values: 9 },
  moveToDelayed: { keys: 11, values: 9 },
  retryJob: { keys: 11, values: 6 },
  moveJobFromActiveToWait: { keys: 9, values: 3 },
  moveStalledJobsToWait: { keys: 9, values: 4 },
  extendLocks: { keys: 1, values: 4 },
  promote: { keys: 9, values: 2 },
  reprocessJob: { keys: 9, values: 6 },
  changePriority: { keys: 7, values: 4 },
} as const satisfies Readonly<Record<string, ScriptShape>>;

export type BullmqScriptName = keyof typeof bullmqScripts;

/**
 * The keys of moveToFinished that differ between the jobs of a queue: the set it ends in, the job, the metrics of that
 * set.
 */
export const FINISH_OWN_KEYS = { from: 10, count: 3 } as const;

/** Where moveToDelayed finds its job, counted from 1 as in Lua: the job's key among KEYS, its id among ARGV. */
export const PUT_BACK_JOB = { key: 5, id: 3 } as const;

/**
 * Where moveStalledJobsToWait finds its set of jobs that may have stalled, and the mark that keeps it from looking too
 * often, among KEYS, and the prefix of all keys among ARGV; counted from 1 as in Lua.
 */
export const STALL_KEYS = { stalled: 1, mark: 4, prefixValue: 2 } as const;

/** Scripts to which their caller tells the time, and which value it is, counted from 1 as in Lua: see callers-time.ts. */
export const CALLERS_TIME = [
  ['moveToActive', 2],
  ['moveToFinished', 2],
  ['moveToDelayed', 2],
  ['retryJob', 2],
  ['moveStalledJobsToWait', 3],
] as const satisfies readonly (readonly [BullmqScriptName, number])[];

/** How scripts write and read when a delayed job is due: the texts that due-score.ts follows. */
export const DUE_SCORES = [
  ['addDelayedJob', 'local minScore = delayedTimestamp * 0x1000'],
  ['moveToDelayed', 'local minScore = delayedTimestamp * 0x1000'],
  ['moveToFinished', 'local minScore = delayedTimestamp * 0x1000'],
  ['moveToActive', '(timestamp + 1) * 0x1000 - 1'],
  ['moveToDelayed', '(timestamp + 1) * 0x1000 - 1'],
  ['moveToFinished', '(timestamp + 1) * 0x1000 - 1'],
  ['retryJob', '(timestamp + 1) * 0x1000 - 1'],
] as const satisfies readonly (readonly [BullmqScriptName, string])[];

/**
 * Methods of BullMQ's that are replaced, or that have to call those that are (bounded-reconnect.ts, watched-calls.ts,
 * lock-renewal.ts, lean-worker.ts), or whose state is used (delivering-worker.ts), and a call that each of them makes.
 */
export const loopMethods = {
  'Worker.mainLoop': ['this.mainLoopQueue = asyncFifoQueue', 'asyncFifoQueue.numTotal() < this._concurrency', 'asyncFifoQueue.numTotal() <= this._concurrency', 'await asyncFifoQueue.fetch()'],
  'Worker.waitForJob': ['this.backend.waitForJob(', 'this.backend.reconnectBlocking()', 'this.getBlockTimeout(blockUntil)'],
  'Worker.getBlockTimeout': ['blockUntil - Date.now()'],
  'Worker.moveToActive': ['this.backend.moveToActive('],
  'Worker.processJob': ['this.lockManager.trackJob(job.id, token,', 'this.handleCompleted(result, job, token,', 'this.handleFailed(err, job, token,'],
  'Worker.handleCompleted': ['job.moveToCompleted(result, token,', "this.emit('completed', job, result, 'active')", 'this.updateDelays(rateLimitDelay, delayUntil)', 'this.nextJobFromJobData(jobData, jobId, token)'],
  'Worker.nextJobFromJobData': ['if (!jobData)', 'this.drained = false', 'this.createJob(jobData, jobId)', 'job.token = token', "this.emit('active', job, 'waiting')"],
  'Worker.getUnrecoverableErrorMessage': ['job.deferredFailure'],
  'Worker.retryIfFailed': ['opts.delayInMs', 'opts.onlyEmitError'],
  'Worker.updateDelays': ['this.blockUntil ='],
  'Job.moveToCompleted': ['this.backend.moveToCompleted(this, returnValue, this.opts.removeOnComplete, token, fetchNext)', 'this.finishedOn = finishedOn', 'this.attemptsMade += 1'],
  'backend.waitForJob': ['this.queue.blockingClient', 'this.reconnectBlocking()'],
  'backend.reconnectBlocking': ['this.blockingConnection.reconnect()'],
  'backend.moveToActive': ['this.execCommand('],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type LoopMethodName = keyof typeof loopMethods;
