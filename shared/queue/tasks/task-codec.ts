import { hash } from 'node:crypto';
import { decodeDestination, encodeDestination, printDestination, rowOf, type Destination } from '../../domain/destinations/destination.js';
import type { StoredFields } from '../../domain/destinations/destination-row.js';
import { jitters, type Jitter } from '../../domain/task/retry-policy.js';
import type { Task } from '../../domain/task/task.js';

/** Version written into the data of every job. A process leaves a higher one to those who know it. */
export const DATA_VERSION = 1;

const MAX_NAME_CHARACTERS = 200;
const PRIORITY_NORMAL = 10;

/** The job's data: short names and no defaults, because Redis keeps a copy for every waiting task. */
export interface JobData {
  readonly v: number;
  /** id */ readonly i: string;
  /** source */ readonly s: string;
  /** client id */ readonly c: string;
  /** destination */ readonly d: StoredFields;
  /** dead destination */ readonly x?: StoredFields;
  /** on_exhausted is park */ readonly k?: 1;
  /** max retries */ readonly r: number;
  /** base delay, ms */ readonly b: number;
  /** initial delay, ms, where it differs from the base delay */ readonly n?: number;
  /** max delay, ms */ readonly l: number;
  /** jitter, where it is not none */ readonly j?: Exclude<Jitter, 'none'>;
  /** priority */ readonly p?: 1;
  /** flow key */ readonly f?: string;
  /** message data */ readonly m: string;
}

/** Options of ours beside BullMQ's in the job: kept by BullMQ as they are. */
export interface StoredOptions {
  /** SHA-256 of the content, base64url; "the same content" is decided by it. */
  readonly sha: string;
  /** Run of the submission, where it is not the first. */
  run?: number;
}

/** The data cannot be read by this version: it is not dropped, it waits for one that can. */
export class UnreadableTaskError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnreadableTaskError';
  }
}

/**
 * Readable in Bull Board: `http https://api.example.com/hook`, `kafka orders@default`, and with a flow_key
 * `[tenant-7] http https://...`. For people alone: what scripts look at stands in the search fields.
 */
export function jobNameOf(task: Task): string {
  const flowKey = task.flowKey === undefined ? '' : `[${task.flowKey}] `;
  return `${flowKey}${printDestination(task.destination)}`.slice(0, MAX_NAME_CHARACTERS).toWellFormed();
}

/** BullMQ runs jobs without a priority before all others: none is our "priority", and normal tasks have one. */
export function jobPriorityOf(task: Task): number {
  return task.isPriority ? 0 : PRIORITY_NORMAL;
}

export function encodeTask(task: Task): JobData {
  const { retryPolicy: policy } = task;
  return {
    v: DATA_VERSION,
    i: task.id,
    s: task.source,
    c: task.clientId,
    d: encodeDestination(task.destination),
    ...(task.deadDestination === undefined ? {} : { x: encodeDestination(task.deadDestination) }),
    ...(task.onExhausted === 'park' ? { k: 1 as const } : {}),
    r: policy.maxRetries,
    b: policy.baseDelayMs,
    ...(policy.initialDelayMs === policy.baseDelayMs ? {} : { n: policy.initialDelayMs }),
    l: policy.maxDelayMs,
    ...(policy.jitter === 'none' ? {} : { j: policy.jitter }),
    ...(task.isPriority ? { p: 1 as const } : {}),
    ...(task.flowKey === undefined ? {} : { f: task.flowKey }),
    m: task.messageData,
  };
}

/**
 * @param data what a job holds; unknown, because another version, or a person, may have written it
 * @throws UnreadableTaskError
 */
export function decodeTask(data: unknown): Task {
  if (typeof data !== 'object' || data === null) throw new UnreadableTaskError('the data is no object');
  // Checked field by field below, as far as a send depends on it.
  const job = data as Partial<JobData>;
  if (job.v !== DATA_VERSION) throw new UnreadableTaskError(`the data has version ${String(job.v)}, this process reads ${DATA_VERSION}`);
  const { i: id, s: source, c: clientId, d: destination, r: maxRetries, b: baseDelayMs, l: maxDelayMs, m: messageData } = job;
  if (id === undefined || source === undefined || clientId === undefined || destination === undefined || messageData === undefined) {
    throw new UnreadableTaskError('a field is missing');
  }
  if (typeof maxRetries !== 'number' || typeof baseDelayMs !== 'number' || typeof maxDelayMs !== 'number') {
    throw new UnreadableTaskError('the retry policy is incomplete');
  }
  return {
    id,
    source,
    clientId,
    destination: readDestination(destination),
    deadDestination: job.x === undefined ? undefined : readDestination(job.x),
    onExhausted: job.k === 1 ? 'park' : 'dead_letter',
    retryPolicy: { maxRetries, baseDelayMs, initialDelayMs: job.n ?? baseDelayMs, maxDelayMs, jitter: decodeJitter(job.j) },
    isPriority: job.p === 1,
    flowKey: job.f,
    messageData,
  };
}

/**
 * SHA-256 of everything a client said, after defaults; independent of how a version encodes it.
 * @returns 43 characters of base64url
 */
export function contentHash(task: Task): string {
  const { retryPolicy: policy } = task;
  const canonical = [
    task.id,
    task.source,
    task.clientId,
    canonicalDestination(task.destination),
    task.deadDestination === undefined ? null : canonicalDestination(task.deadDestination),
    task.onExhausted,
    policy.maxRetries,
    policy.baseDelayMs,
    policy.initialDelayMs,
    policy.maxDelayMs,
    task.isPriority,
    task.messageData,
    // Later than 0.1.0: named, and only where they are said, so that the hash of a task without them stays what it was.
    ...(task.flowKey === undefined ? [] : [['flow_key', task.flowKey]]),
    ...(policy.jitter === 'none' ? [] : [['jitter', policy.jitter]]),
  ];
  return hash('sha256', JSON.stringify(canonical), 'base64url');
}

function decodeJitter(stored: unknown): Jitter {
  const jitter = jitters.find((known) => known === (stored ?? 'none'));
  if (jitter === undefined) throw new UnreadableTaskError('a jitter this version does not know');
  return jitter;
}

function canonicalDestination(destination: Destination): readonly unknown[] {
  return rowOf(destination.type).canonical(destination);
}

function readDestination(stored: unknown): Destination {
  const destination = decodeDestination(stored);
  if (destination === undefined) throw new UnreadableTaskError('a destination that this version does not know');
  return destination;
}
