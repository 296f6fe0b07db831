import { expect } from 'chai';

import { parseNewKey } from '../../../server/access/schema.js';
import { parseBulkRequest } from '../../../server/bulk-actions/schema.js';
import { parseChoice } from '../../../server/search/search-query.js';
import { RequestError } from '../../../shared/domain/errors.js';

function refusalOf(ask: () => unknown): string {
  try {
    ask();
  } catch (error) {
    if (error instanceof RequestError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a word that is not one of a closed list is answered with the one that was meant', () => {
  const bulk = (change: object) => () => parseBulkRequest({ action: 'redrive', filter: { state: 'parked' }, ...change }, undefined, () => expect.fail('no task is parsed'));
  const key = (change: object) => () => parseNewKey({ name: 'a', role: 'read', ...change }, 0);
  const choice = (name: string, text: string, choices: readonly string[]) => () => parseChoice(new Map([[name, text]]), name, choices, '');
  const table: readonly (readonly [what: string, ask: () => unknown, said: string])[] = [
    ['a misspelt action', bulk({ action: 'redrvie' }), 'action must be one of redrive, send_now, cancel, delete: did you mean redrive?'],
    ['an action in words of other systems', bulk({ action: 'Replay' }), 'action must be one of redrive, send_now, cancel, delete: did you mean redrive?'],
    ['an action that is like none', bulk({ action: 'explode' }), 'action must be one of redrive, send_now, cancel, delete'],
    ['an action that is no text', bulk({ action: 5 }), 'action must be one of redrive, send_now, cancel, delete'],
    ['an order', bulk({ order: 'oldets' }), 'order must be oldest or newest: did you mean oldest?'],
    ['a role', key({ role: 'operator' }), 'role must be one of submit, read, operate, admin: did you mean operate?'],
    ['a permission', key({ permissions: ['edit', 'payloads'] }), 'permissions must be an array of cancel, payload, edit, each once: did you mean payload?'],
    ['a permission that stands there twice', key({ permissions: ['edit', 'edit'] }), 'permissions must be an array of cancel, payload, edit, each once'],
    ['the order of a list', choice('order', 'newst', ['newest', 'oldest']), 'order must be one of newest, oldest: did you mean newest?'],
    ['what is counted by', choice('by', 'destination', ['state', 'destination_key']), 'by must be one of state, destination_key: did you mean destination_key?'],
  ];
  for (const [what, ask, said] of table) it(`${what}: ${said}`, () => expect(refusalOf(ask)).to.equal(said));
});
