import { endedStates, type TaskState, type TaskSummary, type TaskView } from '../../answers.js';
import { ApiError } from '../../api-error.js';
import type { ReadPage } from '../../read-pages.js';
import { bulkOptions, redriveOptions, runBulkAction } from '../bulk.js';
import { changedFields } from '../changed-fields.js';
import type { Command, CommandContext } from '../command.js';
import { ASKED_ABOVE, confirm } from '../confirm.js';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.js';
import { ListGaps } from '../list-gaps.js';
import { durationOf, filterOf, filterOptions, isSet, listOf, numberOf, oneOf, textOf } from '../option-values.js';

/** Verbs about tasks that are there already. */

/** What is wrong comes first: a terminal may have no room for the last ones. */
const summaryColumns: readonly (keyof TaskSummary)[] = ['id', 'state', 'error_code', 'http_status', 'destination_key', 'next_attempt_at', 'client_id', 'attempts', 'run', 'updated_at'];

const groupFields = ['state', 'destination_key', 'client_id', 'source', 'error_code', 'http_status'] as const;
const idsOrFilter = '<id> ... | --q <query>';
const ANY: readonly [number, number] = [0, Infinity];

export const taskCommands: readonly Command[] = [
  {
    name: 'get',
    usage: '<id>',
    help: 'one task: where it is, why it waits, and every attempt',
    options: { message: { type: 'boolean', help: 'with the message' }, submission: { type: 'boolean', help: 'as it could be submitted; secrets are ***' } },
    words: [1, 1],
    run: async ({ client, output, words: [id = ''], values, signal }) => {
      await output.object(isSet(values, 'submission') ? await client.submission(id, { signal }) : await client.get(id, { includeMessage: isSet(values, 'message'), signal }));
      return EXIT.done;
    },
  },
  {
    name: 'list',
    usage: '[options]',
    help: 'the tasks that match',
    options: {
      ...filterOptions,
      limit: { type: 'string', value: '<n>', help: 'at most so many' },
      order: { type: 'string', value: '<order>', help: 'newest (default) or oldest', words: ['newest', 'oldest'] },
    },
    run: async ({ client, output, progress, say, values, signal }) => {
      const limit = numberOf(values, 'limit', { least: 1, isWhole: true });
      const gaps = new ListGaps();
      const onPage = (page: ReadPage): void => {
        gaps.note(page);
        progress.show(`${page.scanned} tasks looked at`);
      };
      const tasks = client.list(filterOf(values), { order: oneOf(values, 'order', ['newest', 'oldest']), limit, signal, onPage });
      try {
        await output.list(tasks, summaryColumns);
      } finally {
        progress.clear();
      }
      return gaps.tell(say) ? EXIT.refused : EXIT.done;
    },
  },
  {
    name: 'count',
    usage: '[options]',
    help: 'how many tasks match',
    options: { ...filterOptions, by: { type: 'string', value: '<field>', help: `in groups: ${groupFields.join(', ')}`, words: groupFields } },
    run: async ({ client, output, progress, say, values, signal }) => {
      const by = oneOf(values, 'by', groupFields);
      const counts = await client.count(filterOf(values), { by, signal, onPage: ({ scanned }) => progress.show(`${scanned} tasks looked at`) });
      progress.clear();
      if (!counts.is_exact) say('this is not exact: tasks moved meanwhile, were too many in one list, or could not be read');
      if (counts.groups === undefined || output.form !== 'table') await output.object(counts);
      else await output.list(counts.groups, ['value', 'count']);
      return EXIT.done;
    },
  },
  {
    name: 'failures',
    usage: '[options]',
    help: 'what failed lately, by destination and error',
    options: { since: { type: 'string', value: '<length>', help: '1h (default), at most 24h, or a time' } },
    run: async ({ client, output, say, values, signal }) => {
      const { groups, since, is_complete: isComplete } = await client.failures({ since: textOf(values, 'since'), signal });
      say(`since ${since}${isComplete ? '' : ', not complete'}`);
      await output.list(groups, ['destination_key', 'error_code', 'http_status', 'count', 'last_failed_at', 'samples']);
      return isComplete ? EXIT.done : EXIT.refused;
    },
  },
  {
    name: 'wait',
    usage: '<id> ...',
    help: 'waits until tasks have ended; exit code 1 when one has not been delivered, unless --for names its state',
    options: {
      timeout: { type: 'string', value: '<length>', help: '60s by default' },
      for: { type: 'string', multiple: true, value: '<state>', help: 'a state that ends the wait; may stand several times', words: endedStates },
    },
    words: [1, Infinity],
    run: async ({ client, output, say, words, values, signal }) => {
      // An unknown state would be waited for until the time is over.
      const states = listOf(values, 'for').map(stateNamed);
      const timeoutMs = durationOf(values, 'timeout') ?? 60_000;
      const endsAt = performance.now() + timeoutMs;
      const otherwise: string[] = [];
      async function* ended(): AsyncGenerator<Pick<TaskView, 'id' | 'state' | 'run' | 'dead_reason' | 'finished_at'>, void, undefined> {
        for (const each of words) {
          const { id, state, run, dead_reason, finished_at } = await client.waitFor(each, { timeoutMs: endsAt - performance.now(), ...(states.length === 0 ? {} : { states }), signal });
          // A state that was asked for is no failure.
          if (states.length === 0 && state !== 'delivered') {
            otherwise.push(id);
            say(`task ${id} is ${state}`);
          }
          yield { id, state, run, dead_reason, finished_at };
        }
      }
      if (output.form === 'json' && words.length > 1) await output.list(ended(), ['id']);
      else for await (const task of ended()) await output.object(task);
      return otherwise.length > 0 ? EXIT.refused : EXIT.done;
    },
  },
  {
    name: 'retry',
    usage: '<id> ...',
    help: 'sends tasks now; starts dead letters and parked ones again',
    options: { yes: { type: 'boolean', help: `do not ask before more than ${ASKED_ABOVE} tasks are changed` } },
    words: [1, Infinity],
    isChange: true,
    run: async (context) => {
      if (context.words.length > ASKED_ABOVE) await confirm(context, `Send ${context.words.length} tasks now?`);
      return oneByOne(context, (id) => context.client.retry(id, { reason: textOf(context.values, 'reason'), signal: context.signal }));
    },
  },
  {
    name: 'cancel',
    usage: idsOrFilter,
    help: 'cancels tasks that wait',
    options: bulkOptions,
    words: ANY,
    isChange: true,
    run: async (context) => {
      const { words, values } = context;
      // Every other option narrows or changes what is done, and the bulk action alone understands them.
      const isPlain = words.length > 0 && words.length <= ASKED_ABOVE && !Object.keys(bulkOptions).some((name) => name !== 'yes' && values[name] !== undefined);
      // One by one it needs no worker, and a key that may cancel no more than tasks of its own can do it.
      return isPlain ? oneByOne({ ...context, words: [...new Set(words)] }, (id) => context.client.cancel(id, { reason: textOf(values, 'reason'), signal: context.signal }), hintOfCancel) : runBulkAction(context, 'cancel', words);
    },
  },
  bulkVerb('redrive', 'redrive', 'starts dead letters and parked tasks again, with all their retries', redriveOptions),
  bulkVerb('send-now', 'send_now', 'makes waiting tasks due now'),
  bulkVerb('delete', 'delete', 'removes parked tasks for good: each is the only copy of its message'),
  {
    name: 'edit',
    usage: '<id> --set <field>=<value> ...',
    help: 'changes fields of a task that has not ended; sends nothing',
    options: {
      set: { type: 'string', multiple: true, value: '<field>=<value>', help: 'a field, such as destination.url=https://... or max_retries=3; JSON where it is JSON; null is the default' },
    },
    words: [1, 1],
    isChange: true,
    run: async ({ client, output, words: [id = ''], values, signal }) => {
      const changes = changedFields(listOf(values, 'set'), 'set');
      await output.object(await client.edit(id, changes, { reason: textOf(values, 'reason'), signal }));
      return EXIT.done;
    },
  },
];

function bulkVerb(name: string, action: 'redrive' | 'send_now' | 'delete', help: string, options = bulkOptions): Command {
  return { name, usage: idsOrFilter, help, options, words: ANY, isChange: true, run: async (context) => runBulkAction(context, action, context.words) };
}

/** Each id gets its answer, or its error: one that fails does not stop the others. */
async function oneByOne({ words, output, say }: CommandContext, change: (id: string) => Promise<object>, hintOf: (error: ApiError, id: string) => string = ({ message }) => message): Promise<ExitCode> {
  let refused = 0;
  let unknown = 0;
  async function* results(): AsyncGenerator<{ readonly id: string; readonly state?: string; readonly error?: string; readonly code?: string }, void, undefined> {
    for (const id of words) {
      try {
        yield { id, ...(await change(id)) };
      } catch (error) {
        if (!(error instanceof ApiError) || error.status >= 500) throw error;
        refused += 1;
        unknown += error.status === 404 ? 1 : 0;
        say(hintOf(error, id));
        yield { id, error: error.message, code: error.code };
      }
    }
  }
  await output.list(results(), ['id', 'state', 'code']);
  if (refused === 0) return EXIT.done;
  return unknown === words.length ? EXIT.notFound : EXIT.refused;
}

function hintOfCancel({ code, message }: ApiError, id: string): string {
  return code === 'parked' ? `${id} is parked, and the only copy left: kafka-retry delete ${id} removes it for good` : message;
}

function stateNamed(text: string): TaskState {
  const state = endedStates.find((each) => each === text);
  if (state === undefined) throw new UsageError(`--for must be one of ${endedStates.join(', ')}, got ${JSON.stringify(text)}`);
  return state;
}
