import { hash } from 'node:crypto';
import { printDestination } from '../../domain/destinations/destination.js';
import { shownFlowKey } from '../../domain/destinations/http.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import { traceContextOf, type SubmittedTrace } from '../../domain/trace-context.js';
import type { SecretBox } from '../../domain/secrets/secret-box.js';
import { PRIORITY_NORMAL, PRIORITY_URGENT } from '../engine/job-priority.js';
import { UNREADABLE } from '../../domain/task/task-field.js';
import { buildTask, taskFieldRows, taskFields, type BoundField } from '../../domain/task/task-fields.js';
import { sealTask } from '../../domain/task/task-secrets.js';
import type { Task } from '../../domain/task/task.js';

/** The version in the data of every job. A process leaves data of a higher version to newer processes. */
export const DATA_VERSION = 1;

const MAX_NAME_CHARACTERS = 200;

/** Our options beside BullMQ's in the job. BullMQ keeps them unchanged. */
export interface StoredOptions {
  /** SHA-256 of the content, base64url. Two tasks with the same hash have the same content. */
  readonly sha: string;
  /** The run of the submission, if it is not the first. */
  run?: number;
  /** The trace in which it was submitted: see trace-context.ts. It is no content, and stays through changes and redrives. */
  traceparent?: string;
  tracestate?: string;
  /** The span of the submission, as a traceparent, when the API traces. */
  span?: string;
}

/** @param options what a job holds: a person may have written it. @returns undefined for nearly every task */
export function submittedTraceOf({ traceparent, tracestate, span }: Partial<StoredOptions>): SubmittedTrace | undefined {
  if (traceparent === undefined && span === undefined) return undefined;
  const context = traceContextOf(traceparent, tracestate);
  const own = traceContextOf(span, undefined)?.traceparent;
  return context === undefined && own === undefined ? undefined : { context, span: own };
}

/** This version cannot read the data. The task is not dropped, but waits for a process that can read it. */
export class UnreadableTaskError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnreadableTaskError';
  }
}

/**
 * A text that people can read in Bull Board: `http https://api.example.com/hook`, `kafka orders@default`, and with a
 * flow_key `[tenant-7] http https://...`. Scripts use the search fields instead.
 */
export function jobNameOf(task: Task, mask: PathMask): string {
  const flowKey = task.flowKey === undefined ? '' : `[${shownFlowKey(task.flowKey, mask)}] `;
  return `${flowKey}${printDestination(task.destination, mask)}`.slice(0, MAX_NAME_CHARACTERS).toWellFormed();
}

/** The priority of a task in BullMQ's sense. */
export function jobPriorityOf(task: Task): number {
  return task.isPriority ? PRIORITY_URGENT : PRIORITY_NORMAL;
}

const MESSAGE_LETTER = taskFields.messageData.letter;
const otherRows = taskFieldRows.filter(({ name }) => name !== 'messageData');

/** It stands among the letters of the fields, and is no field of a request. */
const EDITS_LETTER = 'e';

/** Every letter in order, so that setting the fields does not change the shape. JSON leaves out those that stay undefined. */
const emptyData = { v: DATA_VERSION, ...Object.fromEntries([...otherRows.map(({ letter }) => letter), EDITS_LETTER].map((letter) => [letter, undefined])) };

/**
 * The message as JSON, for `encodeTask` and `contentHash`: to write it twice would cost more than all other fields.
 * @returns such as `"{\"id\":1}"`
 */
export function messageJson({ messageData }: Task): string {
  return JSON.stringify(messageData);
}

/**
 * The job's data as JSON: short names and no defaults, because Redis keeps a copy for every waiting task. `v` is the version,
 * the other letters stand in task-fields.ts: `{"v":1,"i":"order-1","s":"orders","c":"team-a","d":{"u":"https://a/"},...,"m":"{}"}`.
 * The message is written last, so that a person who looks at the data in Redis finds everything else before it.
 *
 * @param edits how often the task was changed. It stands in the same text, so that a worker gets the right number with what it sends
 */
export function encodeTask(task: Task, message = messageJson(task), edits = 0): string {
  const data: Record<string, unknown> & { v: number } = { ...emptyData };
  for (const row of otherRows) data[row.letter] = row.encode(row.read(task), task);
  if (edits !== 0) data[EDITS_LETTER] = edits;
  return `${JSON.stringify(data).slice(0, -1)},"${MESSAGE_LETTER}":${message}}`;
}

/**
 * @param data what a job holds; unknown, because another version, or a person, may have written it
 * @throws UnreadableTaskError
 */
export function decodeTask(data: unknown): Task {
  if (typeof data !== 'object' || data === null) throw new UnreadableTaskError('the data is no object');
  // The fields are checked one by one below.
  const job = data as Readonly<Record<string, unknown>>;
  if (job['v'] !== DATA_VERSION) throw new UnreadableTaskError(`the data has version ${String(job['v'])}, this process reads ${DATA_VERSION}`);
  const sibling = (letter: string): unknown => job[letter];
  return buildTask((row) => {
    const value = row.decode(job[row.letter], sibling);
    if (value === UNREADABLE) throw new UnreadableTaskError(`this version cannot read the field ${row.letter} (${row.wire})`);
    return value;
  });
}

/** @param data what a job holds, which `decodeTask` has taken */
export function editsOf(data: unknown): number {
  const edits = (data as Readonly<Record<string, unknown>>)[EDITS_LETTER];
  return typeof edits === 'number' ? edits : 0;
}

// The message is the last of them.
const positionalContent = otherRows.filter(({ content }) => content === 'positional');
const namedContent = taskFieldRows.filter(({ content }) => content === 'named').sort((a, b) => (a.wire < b.wire ? -1 : 1));

/**
 * SHA-256 of everything a client said that is content, after defaults; independent of how a version encodes it.
 * @returns 43 characters of base64url
 */
export function contentHash(task: Task, message = messageJson(task)): string {
  const positional: readonly unknown[] = positionalContent.map((row) => canonicalValue(row, row.read(task)));
  const named: unknown[] = [];
  for (const row of namedContent) {
    const value = row.read(task);
    if (row.encode(value, task) !== undefined) named.push([row.wire, canonicalValue(row, value)]);
  }
  const behind = named.length === 0 ? '' : `,${JSON.stringify(named).slice(1, -1)}`;
  return hash('sha256', `${JSON.stringify(positional).slice(0, -1)},${message}${behind}]`, 'base64url');
}

/** Whether two tasks hold the same, also what is no content. It is fast for large messages that are the same. */
export function haveSameFields(a: Task, b: Task): boolean {
  return a.messageData === b.messageData && otherRows.every((row) => JSON.stringify(canonicalValue(row, row.read(a))) === JSON.stringify(canonicalValue(row, row.read(b))));
}

/** The parts of a submission that hold the message, so that they take long to make when it is large. */
export interface TaskContent {
  /** See contentHash. */
  readonly sha: string;
  /** See encodeTask. */
  readonly data: string;
}

export function contentOf(task: Task, secrets: SecretBox): TaskContent {
  const message = messageJson(task);
  return { sha: contentHash(task, message), data: encodeTask(sealTask(task, secrets), message) };
}

function canonicalValue(row: BoundField, value: unknown): unknown {
  return row.canonical === undefined ? value : row.canonical(value);
}
