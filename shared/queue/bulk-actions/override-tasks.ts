import type { Actor } from '../../domain/actor.js';
import { overridden, type Override } from '../../domain/bulk-actions/override.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import { SealedTextError, type SecretBox } from '../../domain/secrets/secret-box.js';
import { openTask, sealTask } from '../../domain/task/task-secrets.js';
import { jobField } from '../engine/job-fields.js';
import type { LuaScript } from '../engine/lua-script.js';
import { taskIdOf } from '../names.js';
import { decodeEditLog } from '../tasks/edit-log.js';
import { editedValues, EDITED_VALUES, READ_VALUES, readValues } from '../tasks/edited-content.js';
import { decodeTask, editsOf, encodeTask, haveSameFields, UnreadableTaskError } from '../tasks/task-codec.js';
import type { StoredJob } from '../tasks/task-view.js';

/*
 * A redrive with an override reads the tasks whose turn comes next, makes their new content, and gives it to the script that takes the
 * turn. That script writes it only into a task that is still as it was read.
 */

/** Data that is read in one step, bytes; one task is always read. */
const MOST_BYTES = 1_048_576;

/** The texts of one task among the arguments of the step: its member, what is to be done, the sample if it is not started, what was read, what is written. */
export const PREPARED_VALUES = 3 + READ_VALUES + EDITED_VALUES;

/** What is to be done with a task. `invalid` and `unreadable` are the numbers that count it; it is not started. */
export const PREPARED = { same: 'same', edit: 'edit', invalid: 'invalid', unreadable: 'unreadable' } as const;

const fields = [jobField.edits, jobField.attemptsMade, jobField.createdAt, jobField.options, jobField.editLog, jobField.data] as const;

/**
 * Reads the next tasks of a list. KEYS 1 list. ARGV 1 key prefix of jobs, 2 how many at most, 3 bytes of data at most.
 * @returns of each: member, then the fields as they stand there, '' where there is none
 */
export const bulkNextScript: LuaScript = {
  numberOfKeys: 1,
  lua: `
local found, bytes = {}, 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[2]) - 1)) do
  local job = ARGV[1] .. string.match(member, '^%S+')
  local seen = redis.pcall('HSTRLEN', job, '${jobField.data}')
  local length = type(seen) == 'number' and seen or 0
  if #found > 0 and bytes + length > tonumber(ARGV[3]) then break end
  bytes = bytes + length
  local row = {member}
  local values = redis.pcall('HMGET', job, ${fields.map((name) => `'${name}'`).join(', ')})
  for index = 1, ${fields.length} do row[index + 1] = not values.err and values[index] or '' end
  found[#found + 1] = row
end
return found
`,
};

/** The arguments of krsBulkNext behind its key. */
export function nextValues(base: string, most: number): readonly (string | number)[] {
  return [base, most, MOST_BYTES];
}

/** @param row of the answer of krsBulkNext @returns PREPARED_VALUES texts */
export function prepare(row: readonly string[], { override, by, deadAttempts, mask, secrets, countsUnknownKeys }: { readonly override: Override; readonly by: Actor; readonly deadAttempts: number; readonly mask: PathMask; readonly secrets: SecretBox; readonly countsUnknownKeys: boolean }): readonly (string | number)[] {
  const [member = '', edits = '', attemptsMade = '', createdAt = '', options = '', editLog, data = ''] = row;
  const stored: StoredJob = { edits, attemptsMade, createdAt, options, dataBytes: Buffer.byteLength(data) };
  const [jobId = '', run = ''] = member.split(' ');
  const nothing = Array.from({ length: EDITED_VALUES }, () => '');
  const sampleOf = (message: string): string => JSON.stringify({ id: taskIdOf(jobId) ?? jobId, message });
  const refused = (name: typeof PREPARED.invalid | typeof PREPARED.unreadable, message: string): readonly (string | number)[] => [member, name, sampleOf(message), ...readValues(stored), ...nothing];
  const neverAsRead = sampleOf('it was never as it had been read: its data is broken, or it is changed all the time');
  try {
    const parsed: unknown = JSON.parse(data);
    const before = openTask(decodeTask(parsed), secrets);
    const made = overridden(before, override);
    if ('complaint' in made) return refused(PREPARED.invalid, made.complaint);
    if (haveSameFields(made.task, before)) return [member, PREPARED.same, neverAsRead, ...readValues(stored), ...nothing];
    const edit = editsOf(parsed) + 1;
    const content = { after: made.task, data: encodeTask(sealTask(made.task, secrets), undefined, edit), edit, run: Number(run), by, marks: decodeEditLog(editLog) };
    return [member, PREPARED.edit, neverAsRead, ...readValues(stored), ...editedValues(stored, content, { deadAttempts, mask })];
  } catch (error) {
    if (error instanceof SealedTextError && error.fault === 'tampered') return refused(PREPARED.unreadable, 'its headers cannot be decrypted: they were changed or moved');
    // It is no fault of the task: a worker that has the key would go on.
    if (error instanceof SealedTextError && countsUnknownKeys) return refused(PREPARED.unreadable, `its headers cannot be decrypted: ${error.message}`);
    if (!(error instanceof UnreadableTaskError) && !(error instanceof SyntaxError)) throw error;
    return refused(PREPARED.unreadable, 'this version cannot read the task: a newer one has written it, or its data is broken');
  }
}
