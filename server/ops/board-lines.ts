import { printActor } from '../../shared/domain/actor.js';
import type { AttemptRecord, EditMark, LogEntry, RedriveMark } from '../../shared/domain/task/attempt-record.js';
import { printFailure } from '../../shared/domain/task/outgoing-message.js';
import { visibleText } from '../../shared/logging/visible-text.js';
import type { Completion } from '../../shared/queue/tasks/log-codec.js';
import { printTime } from '../http/print-time.js';
import { withEdits } from '../tasks/view.js';

/**
 * The history of a task as lines for a person, the oldest first:
 * `2026-11-28T01:56:29.156Z run 1, attempt 0: failed after 812 ms, http_server_error: HTTP 500: database down; next: retry (worker-1)`
 *
 * @param completion how the task ended, if it was delivered or cancelled
 * @param editMarks  the changes of the task, the oldest first
 */
export function linesOf(log: readonly LogEntry[], completion: Completion | undefined, editMarks: readonly EditMark[] = []): readonly string[] {
  return [...withEdits(log, editMarks).map((entry) => (entry.kind === 'edited' ? editLine(entry) : lineOf(entry))), ...(completion === undefined ? [] : [lastLine(completion)])].map(visibleText);
}

export function lineOf(entry: LogEntry): string {
  switch (entry.kind) {
    case 'attempt':
      return attemptLine(entry);
    case 'omitted':
      return `${entry.count} more ${entry.count === 1 ? 'entry is' : 'entries are'} left out here`;
    case 'redrive':
      return `${timeOf(entry.at)} run ${entry.run}: started again by ${doerOf(entry)}`;
    case 'sent_now':
      return `${timeOf(entry.at)} run ${entry.run}: sent now by ${doerOf(entry)}`;
    case 'deferral':
      return `${timeOf(entry.since)} waits in line: ${entry.reason}, put back ${times(entry.count)}`;
    case 'release':
      return `${timeOf(entry.at)} given back uncounted: ${entry.code}, ${times(entry.count)}`;
  }
}

const nextWords = { retry: 'retry', dead_letter: 'dead delivery', dead_lettered: 'none, it is a dead letter', park: 'none, it is parked' } as const satisfies Record<AttemptRecord['next'], string>;

function attemptLine({ run, attempt, phase, at, ms, outcome, code, detail, httpStatus, worker, next }: AttemptRecord): string {
  const what = phase === 'dead' ? `dead delivery ${attempt}` : `attempt ${attempt}`;
  const isSent = outcome === 'failed' || outcome === 'delivered';
  const how = isSent ? `${outcome} after ${Math.max(0, ms)} ms` : outcome === 'poison' ? 'not sent, because it ends its workers' : 'given up without a send';
  const status = httpStatus === undefined || detail?.includes(String(httpStatus)) === true ? '' : ` (HTTP ${httpStatus})`;
  const failure = code === undefined ? '' : `, ${printFailure(code, detail)}${status}`;
  return `${timeOf(at)} run ${run}, ${what}: ${how}${failure}; next: ${nextWords[next]}${worker === undefined ? '' : ` (${worker})`}`;
}

function editLine({ at, run, edit, by }: EditMark): string {
  return `${timeOf(at)} run ${run}: edit ${edit} by ${printActor(by)}`;
}

function lastLine(completion: Completion): string {
  if (completion.outcome === 'cancelled') return `${timeOf(completion.at)} cancelled by ${doerOf(completion)}`;
  const { run, attempt, at, ms, worker } = completion;
  return `${timeOf(at)} run ${run}, attempt ${attempt}: delivered after ${Math.max(0, ms)} ms (${worker})`;
}

/** `Anna`, `Anna (bulk action ba_1)`; earlier versions wrote down neither for single tasks. */
function doerOf({ by, bulk }: Pick<RedriveMark, 'by' | 'bulk'>): string {
  const person = by === undefined ? 'a person' : printActor(by);
  return bulk === undefined ? person : `${person} (bulk action ${bulk})`;
}

/** A person may have written the entry. */
function timeOf(ms: number): string {
  return Number.isNaN(new Date(ms).getTime()) ? '(no time)' : printTime(ms);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
