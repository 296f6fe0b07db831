import type { RedisQueueBackend } from 'bullmq';
import type { BullmqScriptName } from './bullmq-contract.js';
import { jobField } from './job-fields.js';
import { notePutBack } from './put-back-jobs.js';

/** Fields that BullMQ parses as JSON, and throws if they are none. Its fields `progress` and `parent` are not used by us. */
const parsedFields: ReadonlySet<unknown> = new Set([jobField.options, 'progress', 'parent']);
const NOTHING = '{}';

/** The data of a job that cannot be read, as JSON: no version of ours takes a text for a task. */
export const UNREADABLE_DATA = '"unreadable"';

/**
 * BullMQ throws when a field of the job that it has just fetched is no JSON, because a person or another program has
 * written it. Then the job has no worker, and is fetched again when its lock has lapsed, for ever. So such a field is left
 * out, and the job gets data that cannot be read: then it is treated as all tasks that cannot be read. Nothing is changed
 * in Redis. The data itself is parsed later: see DeliveringWorker.createJob.
 *
 * @param reply of a script that fetches a job: its first element holds the fields of the job, names and values in turn
 */
export function makeReadable(reply: unknown): void {
  const [fields, id] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
  if (!Array.isArray(fields)) return;
  let isReadable = true;
  for (let at = 0; at < fields.length; at += 2) {
    if (!parsedFields.has(fields[at]) || isJson(fields[at + 1])) continue;
    fields[at + 1] = NOTHING;
    isReadable = false;
  }
  if (!isReadable) fields.push(jobField.data, UNREADABLE_DATA);
  notePutBack(id, fields);
}

/** Scripts of BullMQ's whose reply holds a job. That of moveToFinished is read by finish-script.ts. */
const fetching: ReadonlySet<string> = new Set(['moveToActive', 'moveToDelayed'] satisfies BullmqScriptName[]);

/** Has the replies to BullMQ's own fetches made readable. */
export function fetchReadable(backend: RedisQueueBackend): RedisQueueBackend {
  const execute = backend.execCommand.bind(backend);
  backend.execCommand = (client, command, args: unknown[]): unknown => {
    const reply: unknown = execute(client, command, args);
    return fetching.has(command) ? readable(reply) : reply;
  };
  return backend;
}

async function readable(reply: unknown): Promise<unknown> {
  const answer = await reply;
  makeReadable(answer);
  return answer;
}

/** An object of plain numbers and plain texts, as the options of nearly all jobs are: JSON.parse takes several times as long to find no fault in it. */
const PLAIN_OBJECT = /^\{"\w+":(?:0|[1-9]\d*|"[\w-]*")(?:,"\w+":(?:0|[1-9]\d*|"[\w-]*"))*\}$/;

function isJson(value: unknown): boolean {
  const text = String(value);
  if (PLAIN_OBJECT.test(text)) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
