import { ApiError } from '../../api-error.js';
import type { TaskSummary } from '../../answers.js';
import type { ReadPage } from '../../read-pages.js';
import type { Command, CommandContext } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { ListGaps } from '../list-gaps.js';
import { filterOf, filterOptions, numberOf } from '../option-values.js';

/** So many submissions are asked for at the same time. */
const AT_ONCE = 8;

/** One line of an export. */
interface Exported {
  readonly submission: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly run: number;
  readonly edits: number;
  /** When it is due; null: it waits for a person. */
  readonly next_attempt_at: string | null;
}

/** A task that cannot be read. The others are written all the same. */
interface Unreadable {
  readonly id: string;
  readonly fault: string;
}

/** undefined: it went away since it was listed. */
type Found = Exported | Unreadable | undefined;

export const exportCommand: Command = {
  name: 'export',
  usage: '[options]',
  help: 'writes waiting and parked tasks as NDJSON, which import reads; passwords and header values are ***',
  options: { ...filterOptions, limit: { type: 'string', value: '<n>', help: 'at most so many' } },
  run: async (context) => {
    const { client, output, progress, say, values, signal } = context;
    const filter = filterOf(values);
    const all = filter.state === undefined ? { ...filter, state: 'waiting,parked' } : filter;
    const gaps = new ListGaps();
    const onPage = (page: ReadPage): void => {
      gaps.note(page);
      progress.show(`${page.scanned} tasks looked at`);
    };
    const tasks = client.list(all, { limit: numberOf(values, 'limit', { least: 1, isWhole: true }), signal, onPage });
    let [written, gone, missed] = [0, 0, 0];
    try {
      for await (const found of exported(context, tasks)) {
        if (found === undefined) gone += 1;
        else if ('fault' in found) {
          missed += 1;
          say(`${found.id} is not in the export: ${found.fault}`);
        } else {
          await output.text(`${JSON.stringify(found)}\n`);
          written += 1;
        }
      }
    } finally {
      progress.clear();
    }
    say(`${written} written${gone === 0 ? '' : `, ${gone} went away meanwhile`}${missed === 0 ? '' : `, ${missed} could not be read`}`);
    return gaps.tell(say) || missed > 0 ? EXIT.refused : EXIT.done;
  },
};

/** In the order of the list, some of them read ahead. */
async function* exported(context: CommandContext, tasks: AsyncIterable<TaskSummary>): AsyncGenerator<Found, void, undefined> {
  const underWay: Promise<Found>[] = [];
  try {
    for await (const task of tasks) {
      const reading = readOne(context, task);
      // It is awaited below. Until then its failure must not count as one that nobody handles.
      reading.catch(() => undefined);
      underWay.push(reading);
      if (underWay.length >= AT_ONCE) yield await underWay.shift();
    }
    while (underWay.length > 0) yield await underWay.shift();
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function readOne({ client, signal }: CommandContext, { id, state, run, edits, next_attempt_at: dueAt }: TaskSummary): Promise<Found> {
  try {
    return { submission: await client.submission(id, { signal }), state, run, edits, next_attempt_at: dueAt };
  } catch (error) {
    if (error instanceof ApiError && error.code === 'task_not_found') return undefined;
    if (error instanceof ApiError && (error.code === 'task_unreadable' || error.status === 500)) return { id, fault: `${error.message} (${error.code})` };
    throw error;
  }
}
