import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { visibleText } from '../../shared/logging/visible-text.js';
import type { BoardJob } from '../../shared/queue/tasks/board-jobs.js';
import { decodeTask } from '../../shared/queue/tasks/task-codec.js';
import { toWirePolicy } from '../tasks/view.js';

const MAX_SHOWN_CHARACTERS = 2_000;

/**
 * A job in the words of Bull Board, as its `toJSON` gives it.
 * @param mask what is shown of the paths of urls
 */
export function toBoardJson(job: BoardJob, mask: PathMask): { readonly [field: string]: unknown; readonly id: string; readonly name: string; readonly timestamp: number; readonly attemptsMade: number; readonly failedReason: string; readonly stacktrace: string[]; readonly progress: number } {
  return {
    id: job.id,
    name: visibleText(job.name),
    data: shownData(job, mask),
    opts: job.options,
    progress: 0,
    delay: job.delay,
    priority: job.priority,
    timestamp: job.createdAt,
    ...(job.startedAt === undefined ? {} : { processedOn: job.startedAt }),
    ...(job.finishedAt === undefined ? {} : { finishedOn: job.finishedAt }),
    ...(job.worker === undefined ? {} : { processedBy: job.worker }),
    attemptsStarted: job.fetches,
    attemptsMade: job.attemptsMade,
    stalledCounter: job.stalls,
    failedReason: visibleText(job.failedReason ?? ''),
    stacktrace: job.log === undefined ? ['the log is too long for this page: see GET /tasks/:id'] : [...job.log],
    returnvalue: job.returnValue,
  };
}

/** The task in the words that its client used. The message is cut to a length that a person can read. */
function shownData({ data, dataBytes, search }: BoardJob, mask: PathMask): unknown {
  if (data === undefined) {
    const facts = search === undefined ? {} : { source: search.source, client_id: search.clientId, destination_type: search.destinationType, message_bytes: search.messageBytes };
    return { ...facts, message_data: `(too long for this page, ${dataBytes} bytes in Redis: see GET /tasks/:id?include=message_data)` };
  }
  try {
    const task = decodeTask(data.value);
    const { messageData } = task;
    const message = messageData.length <= MAX_SHOWN_CHARACTERS ? messageData : `${messageData.slice(0, MAX_SHOWN_CHARACTERS)}... (${messageData.length} characters)`;
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
