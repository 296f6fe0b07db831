import type { Shard } from '../engine/shard.js';
import { taskIdOf } from '../names.js';
import type { EditMark, LogEntry } from '../../domain/task/attempt-record.js';
import { jobField } from '../engine/job-fields.js';
import { unpackSearchFields, type SearchFields } from '../search/search-fields.js';
import { decodeEditLog } from './edit-log.js';
import { decodeCompletion, decodeLogField, type Completion } from './log-codec.js';

/** The log and the data of all jobs of one page together, bytes in Redis. The rest of the page is left out. */
const PAGE_BYTES = 256 * 1024;
/** The data of one job on a page of many. A person sees the first 2,000 characters of a message; the rest would be thrown away. */
const LISTED_DATA_BYTES = 4 * 1024;
/** The data of a job that is looked at alone. */
export const SINGLE_DATA_BYTES = 192 * 1024;

/** Where BullMQ keeps the jobs of a status, by the names that its board uses. */
const placesOf = {
  active: ['list', 'active'],
  waiting: ['list', 'wait'],
  'waiting-children': ['set', 'waiting-children'],
  prioritized: ['set', 'prioritized'],
  completed: ['set', 'completed'],
  failed: ['set', 'failed'],
  delayed: ['set', 'delayed'],
} as const satisfies Readonly<Record<string, readonly ['list' | 'set', string]>>;

export type BoardStatus = keyof typeof placesOf;

export function isBoardStatus(text: string): text is BoardStatus {
  return Object.hasOwn(placesOf, text);
}

/** A job as the board shows it. Texts that are no JSON, because a person has written them, are shown as texts. */
export interface BoardJob {
  readonly id: string;
  readonly name: string;
  readonly options: unknown;
  /** Milliseconds since the epoch, as are `startedAt` and `finishedAt`. */
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** Whole milliseconds. */
  readonly delay: number;
  readonly priority: number;
  readonly fetches: number;
  readonly attemptsMade: number;
  readonly stalls: number;
  readonly failedReason: string | undefined;
  readonly returnValue: unknown;
  readonly worker: string | undefined;
  /** undefined where it was too long for the page. */
  readonly log: readonly string[] | undefined;
  /** undefined where it was too long for the page. */
  readonly data: { readonly value: unknown } | undefined;
  readonly dataBytes: number;
  /** A dead letter or a parked task. */
  readonly isFailed: boolean;
  /** A few facts about the task, which are there even if its data is too long. */
  readonly search: SearchFields | undefined;
  /** How often it was changed in its life. */
  readonly edits: number;
}

/**
 * A page of jobs: of each status those in the places `first` to `last`, counted from 0; the newest come first.
 * @returns at most 256 KiB of logs and data
 */
export async function readBoardPage(shard: Shard, statuses: readonly BoardStatus[], first: number, last: number): Promise<BoardJob[]> {
  return read(shard, first, last, LISTED_DATA_BYTES, statuses.flatMap((status) => placesOf[status]));
}

/** @returns undefined for an id that no task has */
export async function readBoardJob(shard: Shard, jobId: string): Promise<BoardJob | undefined> {
  // Other keys of the queue, such as `wait`, are no jobs.
  if (taskIdOf(jobId) === undefined) return undefined;
  const [job] = await read(shard, 0, 0, SINGLE_DATA_BYTES, ['job', jobId]);
  return job;
}

/** What has happened to a task: earlier runs come first. */
export interface BoardHistory {
  readonly log: readonly LogEntry[];
  readonly completion: Completion | undefined;
  /** The last changes, the oldest first. */
  readonly editMarks: readonly EditMark[];
}

/** It reads no message. @returns undefined for an id that no task has */
export async function readBoardHistory({ client, keys }: Shard, jobId: string): Promise<BoardHistory | undefined> {
  if (taskIdOf(jobId) === undefined) return undefined;
  const [createdAt, history, log, returnValue, editLog] = await client.hmget(`${keys.base}${jobId}`, jobField.createdAt, jobField.history, jobField.log, jobField.returnValue, jobField.editLog);
  if (createdAt === null || createdAt === undefined) return undefined;
  return { log: [...decodeLogField(history ?? undefined), ...decodeLogField(log ?? undefined)], completion: decodeCompletion(returnValue ?? undefined), editMarks: decodeEditLog(editLog ?? undefined) };
}

/** The script's own answer for one job: see board-script.ts. */
type Reply = readonly [id: string, fields: readonly (string | null)[], log: string | null, data: string | null, dataBytes: number, isFailed: number];

async function read({ client, keys }: Shard, first: number, last: number, dataBytes: number, places: readonly string[]): Promise<BoardJob[]> {
  const replies: unknown = await client.runCommand('krsBoard', [keys.base, first, last, PAGE_BYTES, dataBytes, ...places]);
  return (replies as readonly Reply[]).map(toBoardJob);
}

function toBoardJob([id, fields, log, data, dataBytes, isFailed]: Reply): BoardJob {
  const [createdAt, name = '', options, delay, priority, fetches, attemptsMade, stalls, failedReason, returnValue, startedAt, finishedAt, worker, search, edits] = fields.map((text) => text ?? undefined);
  return {
    id,
    name,
    options: options === undefined ? {} : parse(options),
    createdAt: numberOf(createdAt) ?? 0,
    startedAt: numberOf(startedAt),
    finishedAt: numberOf(finishedAt),
    delay: numberOf(delay) ?? 0,
    priority: numberOf(priority) ?? 0,
    fetches: numberOf(fetches) ?? 0,
    attemptsMade: numberOf(attemptsMade) ?? 0,
    stalls: numberOf(stalls) ?? 0,
    failedReason,
    returnValue: returnValue === undefined ? undefined : parse(returnValue),
    worker,
    log: log === null ? undefined : entriesOf(log),
    data: data === null ? undefined : { value: parse(data) },
    dataBytes,
    isFailed: isFailed === 1,
    search: search === undefined ? undefined : unpackSearchFields(search),
    edits: numberOf(edits ?? '0') ?? 0,
  };
}

/** @param log the field as Redis holds it: a JSON array of texts, or nothing */
function entriesOf(log: string): string[] {
  if (log === '') return [];
  const entries = parse(log);
  return Array.isArray(entries) ? entries.map(String) : [log];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a person has written it
  }
}

/** @returns undefined for a field that is not there, or is no number */
function numberOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}
