import type { Stats } from '../../answers.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { numberOf, textOf } from '../option-values.js';

/** Verbs about the service itself. */
export const serviceCommands: readonly Command[] = [
  {
    name: 'status',
    usage: '',
    help: 'is the service well, and if not, what is wrong; exit code 1 unless it is ok',
    options: {},
    run: async ({ client, output, signal }) => {
      const status = await client.status({ signal });
      await output.object(status);
      return status.status === 'ok' ? EXIT.done : EXIT.refused;
    },
  },
  {
    name: 'stats',
    usage: '',
    help: 'how many tasks are doing what',
    options: {},
    run: async ({ client, output, say, signal }) => {
      // A service of 0.1.0 does not say what is missing.
      const stats: Partial<Stats> = await client.stats({ signal });
      const { counts, is_complete: isComplete = true, shards_away: away = [], ...others } = stats;
      if (!isComplete) say(`this is not complete: a part of Redis does not answer (${away.join(', ')}), and its tasks are missing`);
      await output.object(output.form === 'table' ? { ...counts, ...others, is_complete: isComplete, shards_away: away } : stats);
      return isComplete ? EXIT.done : EXIT.refused;
    },
  },
  {
    name: 'history',
    usage: '[options]',
    help: 'numbers a minute: created, delivered, failed, dead-lettered, due, and how late',
    options: { since: { type: 'string', value: '<length>', help: '1h (default), at most 24h, or a time' } },
    run: async ({ client, output, say, values, signal }) => {
      const { points, is_complete: isComplete, known_at: knownAt } = await client.history({ since: textOf(values, 'since'), signal });
      if (!isComplete) say(`this is not complete: the part of Redis with the counts does not answer${knownAt === null ? '' : `, and this was read at ${knownAt}`}`);
      await output.list(points, ['at', 'created', 'delivered', 'failed', 'dead_lettered', 'due', 'lateness_ms']);
      return isComplete ? EXIT.done : EXIT.refused;
    },
  },
  {
    name: 'audit',
    usage: '[options]',
    help: 'who changed what, when and why, the newest first',
    options: {
      actor: { type: 'string', value: '<name>', help: 'who: the name of an operator, the id or name of a key, or service' },
      action: { type: 'string', value: '<name>', help: 'what: destination.pause, or pause' },
      target: { type: 'string', value: '<id>', help: 'the id of a task, or a destination' },
      since: { type: 'string', value: '<length>', help: '24h, 30d, or a time' },
      limit: { type: 'string', value: '<n>', help: 'at most so many; 100 by default' },
    },
    run: async ({ client, output, say, values, signal }) => {
      const query = { actor: textOf(values, 'actor'), action: textOf(values, 'action'), target: textOf(values, 'target'), since: textOf(values, 'since') };
      const areComplete: boolean[] = [];
      const entries = await client.audit(query, { limit: numberOf(values, 'limit', { least: 1, isWhole: true }) ?? 100, onPage: ({ isComplete }) => void areComplete.push(isComplete), signal });
      const isComplete = !areComplete.includes(false);
      if (!isComplete) say('this is not complete: a part of Redis does not answer, and changes that stand there are missing');
      if (output.form === 'table') await output.list(entries.map(({ actor, target, ...rest }) => ({ ...rest, actor: actor.operator ?? actor.name ?? actor.type, target: target.id })), ['at', 'actor', 'action', 'target', 'reason', 'outcome', 'count']);
      else await output.list(entries, ['id']);
      return isComplete ? EXIT.done : EXIT.refused;
    },
  },
];
