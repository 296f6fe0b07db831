import { wantedOfAction } from '../../../shared/wire/wanted-of-action.js';
import type { BulkAction } from '../../answers.js';
import { watchBulkAction } from '../bulk.js';
import type { Command } from '../command.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { isSet, numberOf, textOf } from '../option-values.js';

/** As a table shows them: with a limit, what matches beyond it is no part of the action. */
async function* inShort(actions: AsyncIterable<BulkAction>): AsyncGenerator<Omit<BulkAction, 'matched'> & { readonly matched: number | string | null }, void, undefined> {
  for await (const action of actions) {
    const wanted = wantedOfAction(action);
    yield { ...action, matched: wanted === action.matched ? wanted : `${wanted} of ${action.matched}` };
  }
}

/** Verbs about bulk actions that were started. */
export const actionCommands: readonly Command[] = [
  {
    name: 'actions',
    usage: '',
    help: 'the bulk actions, the newest first',
    options: { limit: { type: 'string', value: '<n>', help: 'at most so many' } },
    run: async ({ client, output, values, signal }) => {
      const found = client.bulkActions({ limit: numberOf(values, 'limit', { least: 1, isWhole: true }), signal });
      if (output.form === 'table') await output.list(inShort(found), ['id', 'action', 'state', 'failed_again', 'matched', 'pending', 'started', 'delivered']);
      else await output.list(found, ['id']);
      return EXIT.done;
    },
  },
  {
    name: 'action',
    usage: '<id> [options]',
    help: 'one bulk action: how far it is; changes its course',
    options: {
      pause: { type: 'boolean', help: 'start nothing more for now' },
      resume: { type: 'boolean', help: 'go on' },
      cancel: { type: 'boolean', help: 'start nothing more' },
      'set-rate': { type: 'string', value: '<n>', help: 'tasks a second; none: no limit' },
      watch: { type: 'boolean', help: 'wait until it is done, and show how far it is' },
    },
    words: [1, 1],
    isChange: true,
    run: async (context) => {
      const { client, output, words: [id = ''], values, signal } = context;
      const changes = ['pause', 'resume', 'cancel', 'set-rate'].filter((name) => values[name] !== undefined);
      if (changes.length > 1) throw new UsageError(`one change at a time: ${changes.map((name) => `--${name}`).join(', ')}`);
      const options = { reason: textOf(values, 'reason'), signal };
      if (isSet(values, 'pause')) await client.pauseBulkAction(id, options);
      if (isSet(values, 'resume')) await client.resumeBulkAction(id, options);
      if (isSet(values, 'cancel')) await client.cancelBulkAction(id, options);
      if (values['set-rate'] !== undefined) await client.setBulkActionRate(id, values['set-rate'] === 'none' ? null : (numberOf(values, 'set-rate', { least: 0.001, most: 1_000_000 }) ?? null), options);
      if (isSet(values, 'watch')) return watchBulkAction(context, id, isSet(values, 'cancel') ? 'cancelled' : isSet(values, 'pause') ? 'paused' : undefined);
      await output.object(await client.bulkAction(id, { signal }));
      return EXIT.done;
    },
  },
];
