import type { Phase } from '../../domain/task/attempt-record.js';
import type { TaskState } from '../../domain/task/task.js';
import { taskIdOf } from '../names.js';
import { storedOptions } from '../tasks/task-view.js';
import { unpackFailureFields, type FailureFields } from '../search/failure-fields.js';
import { rowFields } from '../search/search-script.js';
import { unpackSearchFields } from '../search/search-fields.js';
import { isSearchPlace, type SearchPlace } from '../search/search-places.js';

/** A task as a search finds it: facts from short fields, without its message and its log. Times are ms since the epoch. */
export interface FoundTask {
  readonly id: string;
  readonly place: SearchPlace;
  readonly state: TaskState;
  readonly run: number;
  /** Of the send that is due or under way; of a task that has ended the last one. */
  readonly phase: Phase;
  /** Sends of this run, those to the dead destination included. */
  readonly attempts: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly nextAttemptAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly clientId: string;
  readonly source: string;
  readonly flowKey: string | undefined;
  /** The name of its flow, if a flow_key has another spelling. */
  readonly flowName: string | undefined;
  readonly destinationType: string;
  /** See SearchFields: the reader decides which brokers are the default cluster. */
  readonly host: string;
  readonly path: string;
  /** Of the last failed attempt of this run. */
  readonly code: string | undefined;
  readonly httpStatus: number | undefined;
  readonly deadReason: string | undefined;
  readonly isPriority: boolean;
  readonly messageBytes: number;
  readonly edits: number;
  readonly bulkActionId: string | undefined;
  /** Why flow control holds it: a DeferralReason, '' where that is not known. undefined: it is not held. */
  readonly deferral: string | undefined;
  /** It was given back uncounted since its last attempt. */
  readonly isReleased: boolean;
}

/** A place in a set, in the order of the search. */
export interface Position {
  /** As Redis writes it; '0' in a list. */
  readonly score: string;
  /** Id of a job. */
  readonly member: string;
}

/** One row of an answer of searchScript, by the names of its fields. */
export type SearchRow = Readonly<Record<(typeof rowFields)[number], string>>;

export function toSearchRow(texts: readonly string[]): SearchRow {
  // Every field of the list has its text.
  return Object.fromEntries(rowFields.map((name, nth) => [name, texts[nth] ?? ''])) as SearchRow;
}

/** @returns undefined for a row that this version cannot read */
export function toFoundTask(row: SearchRow): FoundTask | undefined {
  const id = taskIdOf(row.member);
  const search = unpackSearchFields(row.search);
  if (id === undefined || search === undefined || !isSearchPlace(row.place)) return undefined;
  const failure = row.failure === '' ? undefined : unpackFailureFields(row.failure);
  // The script has made it by the rule of task-view.ts.
  const state = row.state as TaskState;
  const { clientId, source, flowKey, flowName, destinationType, host, path, messageBytes } = search;
  const hasEnded = row.place === 'failed' || row.place === 'completed';
  const finishedAt = hasEnded ? numberOf(row.score) : undefined;
  const createdAt = numberOf(row.createdAt) ?? 0;
  const times = [createdAt, numberOf(row.startedAt), numberOf(row.movedAt), finishedAt, failure?.endedAt];
  const isHeld = row.isDeferred === '1';
  return {
    id,
    place: row.place,
    state,
    run: (storedOptions(row.options).run ?? 1) + (numberOf(row.redrives) ?? 0),
    ...sendsOfRun(state, failure),
    createdAt,
    updatedAt: Math.max(...times.filter((time) => time !== undefined)),
    nextAttemptAt: numberOf(row.dueAt),
    finishedAt,
    clientId,
    source,
    flowKey,
    flowName,
    destinationType,
    host,
    path,
    isPriority: row.priority === '1',
    messageBytes,
    edits: numberOf(row.edits) ?? 0,
    bulkActionId: row.bulkAction === '' ? undefined : row.bulkAction,
    deferral: isHeld ? row.waitsFor : undefined,
    isReleased: row.isReleased === '1',
  };
}

/** What its sends say of a task, where they are those of its current run. */
export function sendsOfRun(state: TaskState, failure: FailureFields | undefined): Pick<FoundTask, 'phase' | 'attempts' | 'code' | 'httpStatus' | 'deadReason'> {
  return {
    phase: phaseOf(state, failure?.phase, failure?.next),
    attempts: (failure?.attempts ?? 0) + (state === 'delivered' ? 1 : 0),
    code: failure?.code,
    httpStatus: failure?.httpStatus,
    deadReason: failure?.deadReason,
  };
}

/** A task that was cancelled before its dead delivery was sent last in its delivery phase. */
function phaseOf(state: TaskState, phase: Phase | undefined, next: string | undefined): Phase {
  if (state === 'delivered' || (state === 'cancelled' && next === 'dead_letter')) return 'delivery';
  return phase ?? 'delivery';
}

function numberOf(text: string): number | undefined {
  const number = text === '' ? NaN : Number(text);
  return Number.isFinite(number) ? Math.floor(number) : undefined;
}
