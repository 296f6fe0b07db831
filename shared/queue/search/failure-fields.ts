import { failedAt, type AttemptRecord, type LogEntry, type Phase } from '../../domain/task/attempt-record.js';
import { dueAfter } from '../../domain/task/attempt-due.js';

/**
 * The field `e` of a job: it repeats a few facts of its log, so that a script can filter jobs without reading logs
 * (decision 11). The script of the transition that a record causes writes both. A job that never failed has none.
 */

/** The text before the first value. Another one means a newer version, which this version must not read. */
const VERSION = '1';
/** The same separator as in search-fields.ts. */
const SEPARATOR = '\x1f';

/** The facts in `e` about a task's current run. */
export interface FailureFields {
  /**
   * The number that BullMQ's own counter of the job (`atm`) has after the transition that wrote this. If the counter
   * differs, an older version has moved the job since: then these facts are out of date, and nothing may be concluded
   * from them.
   */
  readonly attemptsMade: number;
  /** Phase of the next send, or of the last one when the task has ended. */
  readonly phase: Phase;
  /** The number of sends in this run, those to the dead destination included. */
  readonly attempts: number;
  /** Code of the last attempt that failed; `httpStatus` is that of the same attempt. */
  readonly code: string | undefined;
  readonly httpStatus: number | undefined;
  readonly deadReason: string | undefined;
  /**
   * When the next send was due by the decision about the last one, ms since the epoch. undefined: the task has ended, or an
   * older version has written the record.
   */
  readonly dueAt: number | undefined;
  /** The decision about the last send: `next` of its record. undefined: an older version has written the fields. */
  readonly next: AttemptRecord['next'] | undefined;
  /** When the last send ended, ms since the epoch. undefined: an older version has written the fields. */
  readonly endedAt: number | undefined;
}

const decisions: ReadonlySet<string> = new Set<AttemptRecord['next']>(['retry', 'dead_letter', 'dead_lettered', 'park']);

/**
 * @param log          log of the current run, the newest record included
 * @param attemptsMade see FailureFields
 * @returns undefined when no attempt of this run has been recorded
 */
export function failureFieldsOf(log: readonly LogEntry[], attemptsMade: number): FailureFields | undefined {
  const records = log.filter((entry) => entry.kind === 'attempt');
  const newest = records.at(-1);
  if (newest === undefined) return undefined;
  const failed = records.findLast(({ outcome }) => outcome !== 'delivered');
  return {
    attemptsMade,
    phase: newest.next === 'dead_letter' ? 'dead' : newest.phase,
    attempts: sends(records, 'delivery') + sends(records, 'dead'),
    code: failed?.code,
    httpStatus: failed?.httpStatus,
    deadReason: newest.reason,
    dueAt: dueAfter(newest),
    next: newest.next,
    endedAt: failedAt(newest),
  };
}

/** Records in the middle of a long log are dropped. Each remaining one contains its number. */
function sends(records: readonly AttemptRecord[], phase: Phase): number {
  const last = records.findLast((record) => record.phase === phase && (record.outcome === 'failed' || record.outcome === 'delivered'));
  return last === undefined ? 0 : last.attempt + 1;
}

/**
 * The version, then the values in the order of FailureFields. A missing value is empty. A later version may append
 * values.
 */
export function packFailureFields({ attemptsMade, phase, attempts, code, httpStatus, deadReason, dueAt, next, endedAt }: FailureFields): string {
  // join writes undefined as nothing.
  return VERSION + [attemptsMade, phase, attempts, code, httpStatus, deadReason, dueAt, next, endedAt].join(SEPARATOR);
}

/** @returns undefined for a text that another version has written */
export function unpackFailureFields(packed: string): FailureFields | undefined {
  if (!packed.startsWith(VERSION)) return undefined;
  const [attemptsMade, phase, attempts, code, httpStatus, deadReason, dueAt = '', next = '', endedAt = ''] = packed.slice(VERSION.length).split(SEPARATOR);
  if ((phase !== 'delivery' && phase !== 'dead') || attempts === undefined || httpStatus === undefined) return undefined;
  return {
    attemptsMade: Number(attemptsMade),
    phase,
    attempts: Number(attempts),
    code: code === '' ? undefined : code,
    httpStatus: httpStatus === '' ? undefined : Number(httpStatus),
    deadReason: deadReason === '' ? undefined : deadReason,
    // A version that had no such value appended nothing.
    dueAt: /^\d+$/.test(dueAt) ? Number(dueAt) : undefined,
    next: isDecision(next) ? next : undefined,
    endedAt: /^\d+$/.test(endedAt) ? Number(endedAt) : undefined,
  };
}

function isDecision(text: string): text is AttemptRecord['next'] {
  return decisions.has(text);
}

/**
 * In Lua: functions of `e` and `atm`. `attemptsMadeOf` gives the number of the transition that wrote `e`, 0 where there is
 * none, or nil when another version has written it. `phaseOf` gives 'delivery' or 'dead', or nil where that is not known:
 * the task has failed since, or before, by the hand of a version that writes no `e`. `sendsOf` and `dueAtOfFailure` read
 * `attempts` and `dueAt` of `e`, nil where it has none.
 */
export const readFailureFieldsLua = `
local function attemptsMadeOf(packed)
  if not packed then return 0 end
  return tonumber(string.match(packed, '^${VERSION}(%d+)\\31'))
end
local function phaseOf(packed, atm)
  if attemptsMadeOf(packed) ~= (tonumber(atm) or 0) then return nil end
  return packed and string.match(packed, '^${VERSION}%d+\\31(%a+)\\31') or 'delivery'
end
local function sendsOf(packed)
  return tonumber(string.match(packed, '^${VERSION}%d+\\31%a+\\31(%d+)'))
end
local function dueAtOfFailure(packed)
  return tonumber(string.match(packed, '^${VERSION}%d+\\31%a+\\31%d+\\31[^\\31]*\\31[^\\31]*\\31[^\\31]*\\31(%d+)'))
end
`;
