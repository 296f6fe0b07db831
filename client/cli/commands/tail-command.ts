import { NoAnswerError, ApiError } from '../../api-error.js';
import type { TaskSummary } from '../../answers.js';
import { pause } from '../../linked-signal.js';
import type { Command, CommandContext } from '../command.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { durationOf, filterOf, filterOptions } from '../option-values.js';
import { RecentChanges } from '../recent-changes.js';

const DEFAULT_EVERY_MS = 1_000;
const LEAST_EVERY_MS = 100;
const DEFAULT_SINCE_MS = 1_000;

export const tailCommand: Command = {
  name: 'tail',
  usage: '[options]',
  help: 'shows tasks as they change, until Ctrl-C',
  options: {
    ...filterOptions,
    every: { type: 'string', value: '<length>', help: 'time between two looks; 1s by default' },
    since: { type: 'string', value: '<length>', help: 'begins with what was changed in this time; 1s by default' },
  },
  run: async (context) => {
    const { output } = context;
    if (output.form === 'json') throw new UsageError('tail has no end, so it writes --output ndjson or table');
    await output.list(changes(context), ['updated_at', 'id', 'state', 'error_code', 'http_status', 'attempts', 'destination_key', 'run']);
    return EXIT.done;
  },
};

async function* changes({ client, values, signal, say }: CommandContext): AsyncGenerator<TaskSummary, void, undefined> {
  const filter = filterOf(values);
  if (filter.updated_at !== undefined) throw new UsageError('tail looks at updated_at itself: say --since');
  const everyMs = Math.max(LEAST_EVERY_MS, durationOf(values, 'every') ?? DEFAULT_EVERY_MS);
  const sinceMs = durationOf(values, 'since') ?? DEFAULT_SINCE_MS;
  const recent = new RecentChanges();
  for (let failures = 0; ; ) {
    try {
      const askedAt = performance.now();
      const found: TaskSummary[] = [];
      for await (const task of client.list({ ...filter, updated_at: `>-${recent.lookBackS(askedAt, sinceMs)}s` }, { signal })) found.push(task);
      const fresh = recent.accept(found, askedAt);
      failures = 0;
      yield* fresh.sort((a, b) => (a.updated_at < b.updated_at ? -1 : Number(a.updated_at > b.updated_at)));
    } catch (error) {
      // A service that is started anew ends nothing. What changed meanwhile comes with the next look.
      if (signal.aborted || !(error instanceof NoAnswerError || (error instanceof ApiError && error.status >= 500))) throw error;
      failures += 1;
      if (failures === 1) say(`${error.message}: trying again`);
    }
    await pause(everyMs, signal);
  }
}
