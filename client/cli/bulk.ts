import { wantedOfAction } from '../../shared/wire/wanted-of-action.js';
import type { BulkAction, BulkActionName, BulkActionRequest, DryRun } from '../answers.js';
import type { CommandContext, OptionRow } from './command.js';
import { changedFields } from './changed-fields.js';
import { ASKED_ABOVE, confirm } from './confirm.js';
import { EXIT, InterruptedError, UsageError, type ExitCode } from './exit-codes.js';
import { filterOf, filterOptions, isSet, listOf, numberOf, oneOf, textOf } from './option-values.js';

/** Options of the verbs that change a set of tasks. */
export const bulkOptions: Readonly<Record<string, OptionRow>> = {
  ...filterOptions,
  'dry-run': { type: 'boolean', help: 'count what would be changed, and change nothing' },
  expected: { type: 'string', value: '<n>', help: 'change nothing when it is another number of tasks' },
  rate: { type: 'string', value: '<n>', help: 'tasks a second, all workers together' },
  limit: { type: 'string', value: '<n>', help: 'at most so many tasks' },
  order: { type: 'string', value: '<order>', help: 'which come first: oldest (default) or newest', words: ['oldest', 'newest'] },
  watch: { type: 'boolean', help: 'wait until it is done, and show how far it is' },
  yes: { type: 'boolean', help: `do not ask before more than ${ASKED_ABOVE} tasks are changed` },
};

export const redriveOptions: Readonly<Record<string, OptionRow>> = {
  ...bulkOptions,
  override: { type: 'string', multiple: true, value: '<field>=<value>', help: 'what each task gets with its new run, such as max_retries=3 or destination.url=https://...; a destination is replaced as a whole; JSON where it is JSON' },
};

const MAX_IDS = 10_000;
/** These take tasks away, so the service wants to know how many are meant, and why. */
const removing: ReadonlySet<BulkActionName> = new Set(['cancel', 'delete']);

/** What a person is asked, with the number of tasks. */
const questionOf = {
  redrive: (count) => `Start ${count} tasks again?`,
  send_now: (count) => `Send ${count} tasks now?`,
  cancel: (count) => `Cancel ${count} tasks?`,
  delete: (count) => `Delete ${count} tasks for good?`,
} as const satisfies Record<BulkActionName, (count: number) => string>;

/**
 * Changes the tasks that options or ids name, as a bulk action: count, ask, start, perhaps watch. What was counted is what is
 * changed: when the number is another one by then, nothing is, and nothing is repeated with the new number.
 */
export async function runBulkAction(context: CommandContext, action: BulkActionName, ids: readonly string[]): Promise<ExitCode> {
  const { client, output, values, signal } = context;
  const request = requestOf(context, action, [...new Set(ids)]);
  const given = numberOf(values, 'expected', { least: 0, isWhole: true });
  if (removing.has(action) && request.reason === undefined && !isSet(values, 'dry-run')) throw new UsageError(`say why: --reason "..."`);
  let expected = given;
  if (ids.length > 0 && !isSet(values, 'dry-run')) {
    // What is named need not be counted. An id that no task has counts like the others, so the number says that none of them was lost on the way.
    const named = new Set(ids).size;
    if (removing.has(action)) expected ??= named;
    const changed = Math.min(named, request.limit ?? Infinity);
    if (changed > ASKED_ABOVE) await confirm(context, questionOf[action](changed));
  } else if (isSet(values, 'dry-run') || !isSet(values, 'yes') || (removing.has(action) && given === undefined)) {
    // Where it is not asked and not needed, a count of millions of tasks is not waited for.
    const dry = await countFirst(context, request);
    if (!dry.is_exact) context.say(`the count is not exact: ${dry.is_complete === false ? 'a part of the service does not answer' : 'some tasks could not be read'}`);
    if (isSet(values, 'dry-run')) {
      await output.object(dry);
      return dry.is_exact ? EXIT.done : EXIT.refused;
    }
    if (dry.matched === 0) {
      const isExpected = given === undefined || given === 0;
      const none = dry.is_exact ? 'no task matches' : 'no task was found';
      context.say(`${isExpected ? none : `${given} tasks were expected, and none matches`}: nothing was changed`);
      await output.object(dry);
      // Those that were meant may be in the part that was not looked at.
      return isExpected && dry.is_exact ? EXIT.done : EXIT.refused;
    }
    const changed = Math.min(dry.matched, request.limit ?? Infinity);
    if (changed > ASKED_ABOVE) await confirm(context, questionOf[action](changed));
    // Also of a count that is not exact: it is the number that was shown, and with another one the service touches nothing.
    expected ??= dry.matched;
  }
  const created = await client.createBulkAction({ ...request, ...(expected === undefined ? {} : { expected }) }, { signal });
  context.say(`bulk action ${created.id} has begun`);
  return isSet(values, 'watch') ? watchBulkAction(context, created.id) : shown(context, created);
}

/**
 * Shows how far an action is, until nothing is left to start.
 * @param wanted the state that it was just told to take, which is no failure then
 */
export async function watchBulkAction(context: CommandContext, id: string, wanted?: BulkAction['state']): Promise<ExitCode> {
  const { client, progress, signal } = context;
  let last: BulkAction | undefined;
  try {
    for await (const action of client.watchBulkAction(id, { signal })) {
      last = action;
      progress.show(progressOf(action), shareOf(action));
    }
  } catch (error) {
    progress.clear();
    if (error instanceof InterruptedError) context.say(`bulk action ${id} goes on: kafka-retry action ${id} shows it, kafka-retry action ${id} --cancel ends it`);
    throw error;
  }
  progress.clear();
  if (last === undefined) throw new Error(`bulk action ${id} was not shown`);
  return shown(context, last, wanted);
}

async function shown({ output, say }: CommandContext, action: BulkAction, wanted?: BulkAction['state']): Promise<ExitCode> {
  const { id, state, state_reason: stateReason, not_read: notRead, started, skipped: { over_limit: _wanted, ...missed }, override_errors: misfits = [] } = action;
  // An older API does not tell.
  const shardsAway = (action as Partial<BulkAction>).shards_away ?? [];
  if (stateReason !== null) say(`${state}: ${stateReason.message}`);
  if (state === 'paused') say(`kafka-retry action ${id} --resume goes on with it, kafka-retry action ${id} --cancel ends it`);
  if (shardsAway.length > 0 && stateReason?.code !== 'shard_away') say(`shards that do not answer: ${shardsAway.join(', ')}. What became of their tasks is not in these numbers`);
  const reasons = Object.entries(missed).filter(([, count]) => count > 0);
  if (reasons.length > 0) say(`${started} of ${wantedOfAction(action) ?? 0} tasks were changed, the others were not: ${reasons.map(([name, count]) => `${count} ${whyNot(name)}`).join(', ')}`);
  for (const { count, code, task_id: taskId, message } of misfits) say(`the override does not fit ${count} of them (${code})${taskId === null ? '' : `, such as ${taskId}: ${message}`}`);
  if (notRead > 0) say(`${notRead} tasks could not be read, so it is not known whether they match: they were left as they are`);
  await output.object(action);
  const isStopped = state === 'failed' || state === 'refused' || state === 'paused' || state === 'cancelled';
  return (isStopped && state !== wanted) || reasons.length > 0 || notRead > 0 ? EXIT.refused : EXIT.done;
}

/** @param reason a name in `skipped` of an action */
function whyNot(reason: string): string {
  const words: Readonly<Record<string, string>> = { changed: 'had another state by then', gone: 'are not known', being_sent: 'were being sent' };
  return words[reason] ?? reason;
}

async function countFirst({ client, progress, signal }: CommandContext, request: BulkActionRequest): Promise<DryRun> {
  try {
    return await client.dryRun(request, { signal, onPage: ({ scanned }) => progress.show(`counting: ${scanned} tasks looked at`) });
  } finally {
    progress.clear();
  }
}

function requestOf({ values }: CommandContext, action: BulkActionName, ids: readonly string[]): BulkActionRequest {
  const filter = filterOf(values);
  const hasFilter = Object.keys(filter).length > 0;
  if (hasFilter && ids.length > 0) throw new UsageError('name ids, or say which tasks by options: not both');
  if (!hasFilter && ids.length === 0) throw new UsageError('say which tasks: their ids, or options such as --state, --client-id or --q');
  if (ids.length > MAX_IDS) throw new UsageError(`at most ${MAX_IDS} ids at once, got ${ids.length}`);
  const rate = numberOf(values, 'rate', { least: 0.001, most: 1_000_000 });
  const limit = numberOf(values, 'limit', { least: 1, isWhole: true });
  const order = oneOf(values, 'order', ['oldest', 'newest']);
  const reason = textOf(values, 'reason');
  const override = listOf(values, 'override');
  return {
    action,
    ...(hasFilter ? { filter } : { ids }),
    ...(rate === undefined ? {} : { rate }),
    ...(limit === undefined ? {} : { limit }),
    ...(order === undefined ? {} : { order }),
    ...(override.length === 0 ? {} : { override: changedFields(override, 'override') }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function progressOf(action: BulkAction): string {
  const { state, matched, pending, started, delivered, failed_again: failedAgain } = action;
  const wanted = wantedOfAction(action);
  if (wanted === null) return `${state}: looking which tasks match`;
  return `${state}: ${wanted - pending} of ${wanted}${wanted === matched ? '' : ` (${matched} match)`}, ${started} started, ${delivered} delivered, ${failedAgain} failed again`;
}

function shareOf(action: BulkAction): number | undefined {
  const wanted = wantedOfAction(action);
  return wanted === null || wanted === 0 ? undefined : (wanted - action.pending) / wanted;
}
