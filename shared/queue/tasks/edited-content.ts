import type { Actor } from '../../domain/actor.js';
import type { EditMark } from '../../domain/task/attempt-record.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import type { Task } from '../../domain/task/task.js';
import { jobField } from '../engine/job-fields.js';
import { packSearchFields, searchFieldsOf } from '../search/search-fields.js';
import { encodeEditLog } from './edit-log.js';
import { jobNameOf } from './task-codec.js';
import type { StoredJob } from './task-view.js';

/*
 * Other content of a task that is stored: what scripts compare and write. The data is made in Node, because cjson would round numbers, so
 * the scripts first compare that the job is still as it was read.
 */

export interface EditedContent {
  readonly after: Task;
  /** Data of `after`, with `edit`: see encodeTask. */
  readonly data: string;
  /** How often it was changed in its life, this time included. */
  readonly edit: number;
  /** The run that is under way, or has ended. */
  readonly run: number;
  readonly by: Actor;
  readonly marks: readonly EditMark[];
  /** BullMQ's; undefined when it stays. */
  readonly priority?: number | undefined;
}

/** How many texts `readValues` and `editedValues` are. */
export const READ_VALUES = 5;
export const EDITED_VALUES = 7;

/** What was read of the job, for `isAsRead`. */
export function readValues({ edits, attemptsMade, createdAt, options, dataBytes }: StoredJob): readonly (string | number)[] {
  return [edits, attemptsMade, createdAt, options, dataBytes];
}

/** What is written, for `putContent`. */
export function editedValues({ options }: StoredJob, { after, data, edit, run, by, marks, priority }: EditedContent, { deadAttempts, mask }: { readonly deadAttempts: number; readonly mask: PathMask }): readonly (string | number)[] {
  const search = packSearchFields(searchFieldsOf(after, Buffer.byteLength(after.messageData), mask)) ?? '';
  return [search, ...encodeEditLog(marks, { kind: 'edited', run, by, edit }), data, jobNameOf(after, mask), optionsOf(options, after, deadAttempts, priority), edit];
}

/**
 * Lua, with ARGV from `at` on:
 * - `isAsRead(job, at)`: does the job still hold what was read? Data changes only with a submission, which has another time and other
 *   options, and where `edits` changes too.
 * - `putContent(job, at, now)` writes the new content. Its first write is one that a full Redis refuses.
 * - `leaveWaitingList(job, id, base, lists)`: nothing may be left in the waiting list of a destination that the task does not go to. It
 *   gives the place that it had there, or nil.
 */
export const editedContentLua = `
local function isAsRead(job, at)
  for offset, name in ipairs({'${jobField.edits}', '${jobField.attemptsMade}', '${jobField.createdAt}', '${jobField.options}'}) do
    if (redis.call('HGET', job, name) or '') ~= ARGV[at + offset - 1] then return false end
  end
  return redis.call('HSTRLEN', job, '${jobField.data}') == tonumber(ARGV[at + 4])
end
local function putContent(job, at, now)
  local moment = string.format('%d', now)
  redis.call('HSET', job, '${jobField.editLog}', ARGV[at + 1] .. moment .. ARGV[at + 2], '${jobField.movedAt}', moment,
    '${jobField.data}', ARGV[at + 3], '${jobField.name}', ARGV[at + 4], '${jobField.options}', ARGV[at + 5], '${jobField.edits}', ARGV[at + 6])
  if ARGV[at] == '' then redis.call('HDEL', job, '${jobField.search}') else redis.call('HSET', job, '${jobField.search}', ARGV[at]) end
end
local function leaveWaitingList(job, id, base, lists)
  local name = redis.call('HGET', job, '${jobField.waitingList}')
  if not name then return nil end
  local place = redis.call('ZSCORE', base .. name, id)
  redis.call('ZREM', base .. name, id)
  if redis.call('EXISTS', base .. name) == 0 then redis.call('ZREM', lists, name) end
  redis.call('HDEL', job, '${jobField.waitingList}')
  return place
end
`;

/**
 * BullMQ's options with the numbers that follow from the task: see submission.ts.
 * @param priority undefined when it stays
 */
function optionsOf(stored: string, { retryPolicy }: Task, deadAttempts: number, priority: number | undefined): string {
  const options = parseOptions(stored);
  // Without our own part of them the job could not be told from another any more.
  if (options === undefined) return stored;
  const changed = { ...options, attempts: retryPolicy.maxRetries + 1 + deadAttempts, ...(priority === undefined ? {} : { priority }) };
  return JSON.stringify(changed);
}

function parseOptions(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const options: unknown = JSON.parse(text);
    return typeof options === 'object' && options !== null ? (options as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined; // a person has written them
  }
}
