import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { visibleText } from '../../shared/logging/visible-text.js';
import type { BoardJob } from '../../shared/queue/tasks/board-jobs.js';
import { decodeLog } from '../../shared/queue/tasks/log-codec.js';
import { decodeTask } from '../../shared/queue/tasks/task-codec.js';
import { toWirePolicy } from '../tasks/view.js';
import type { WaitingFor } from '../tasks/waiting-for.js';
import { lineOf } from './board-lines.js';

const MAX_SHOWN_CHARACTERS = 2_000;
const NOT_SHOWN = '(not shown: this needs the permission payload)';

/**
 * A job in the words of Bull Board, as its `toJSON` gives it.
 * @param mask    what is shown of the paths of urls
 * @param waiting why it waits, if it does
 * @param options showsMessage: its reader has the permission payload
 */
export function toBoardJson(job: BoardJob, mask: PathMask, waiting: WaitingFor | undefined, { showsMessage }: { readonly showsMessage: boolean }): { readonly [field: string]: unknown; readonly id: string; readonly name: string; readonly timestamp: number; readonly attemptsMade: number; readonly failedReason: string; readonly stacktrace: string[]; readonly progress: number } {
  return {
    id: job.id,
    // The board would show a time at which the job "will run": for many that wait it is not the time of their send.
    name: waiting === undefined ? visibleText(job.name) : `${visibleText(job.name)} (${waiting.code}: ${waiting.message})`,
    data: withFacts(shownData(job, mask, showsMessage), job, waiting),
    opts: job.options,
    progress: 0,
    // BullMQ's wait says nothing of a task that waits in line, and is out of date once it was woken.
    delay: 0,
    // Each normal task has one, and the fields of the task say which is a priority task.
    priority: 0,
    timestamp: job.createdAt,
    ...(job.startedAt === undefined ? {} : { processedOn: job.startedAt }),
    ...(job.finishedAt === undefined ? {} : { finishedOn: job.finishedAt }),
    ...(job.worker === undefined ? {} : { processedBy: job.worker }),
    attemptsStarted: job.fetches,
    attemptsMade: job.attemptsMade,
    stalledCounter: job.stalls,
    failedReason: job.isFailed ? visibleText(job.failedReason ?? '') : '',
    // The board offers Retry for every job that has one, and only dead letters and parked tasks can be started again here.
    stacktrace: job.isFailed ? attemptsOf(job.log) : [],
    returnvalue: job.returnValue,
  };
}

/** The board shows the newest first. Texts that a person has written stay as they are. */
function attemptsOf(log: readonly string[] | undefined): string[] {
  if (log === undefined) return ['the log is too long for this page: see GET /tasks/:id'];
  return log.map((text) => {
    const [entry] = decodeLog([text]);
    return visibleText(entry === undefined ? text : lineOf(entry));
  });
}

/** Why it waits, and how often it was changed, if it was. */
function withFacts(data: unknown, { edits }: BoardJob, waiting: WaitingFor | undefined): unknown {
  if (typeof data !== 'object' || data === null) return data;
  return { ...(waiting === undefined ? {} : { waiting_for: waiting }), ...(edits === 0 ? {} : { edits }), ...data };
}

/** The task in the words that its client used. The message is cut to a length that a person can read. */
function shownData({ data, dataBytes, search }: BoardJob, mask: PathMask, showsMessage: boolean): unknown {
  if (data === undefined) {
    const facts = search === undefined ? {} : { source: search.source, client_id: search.clientId, destination_type: search.destinationType, message_bytes: search.messageBytes };
    return { ...facts, message_data: `(too long for this page, ${dataBytes} bytes in Redis: see GET /tasks/:id?include=message_data)` };
  }
  try {
    const task = decodeTask(data.value);
    const { messageData } = task;
    const message = !showsMessage ? NOT_SHOWN : messageData.length <= MAX_SHOWN_CHARACTERS ? messageData : `${messageData.slice(0, MAX_SHOWN_CHARACTERS)}... (${messageData.length} characters)`;
    return { ...visibleFields({ id: task.id, source: task.source, client_id: task.clientId, ...toWirePolicy(task, mask) }), message_data: message };
  } catch {
    // A newer version wrote it, or a person. What of it is a secret is not known here.
    return 'This version of the service cannot read the task. A newer version wrote it, or a person.';
  }
}

/** The page prints texts as they are, so what is hidden in them is written as escapes. The message alone is content. */
function visibleFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]: [string, unknown]) => [visibleText(name), visibleValue(value)]));
}

function visibleValue(value: unknown): unknown {
  if (typeof value === 'string') return visibleText(value);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? visibleFields(value) : value;
}
