import { expect } from 'chai';

import { didYouMean, nearestName, nearestNames } from '../../../../server/http/nearest-name.js';

describe('nearestName', () => {
  const known = ['include', 'limit', 'destination_key', 'by', 'q'];
  const table: readonly (readonly [name: string, nearest: string | undefined])[] = [
    ['inlcude', 'include'],
    ['INCLUDE', 'include'],
    ['limits', 'limit'],
    ['destinationkey', 'destination_key'],
    ['destination', 'destination_key'],
    ['verbose', undefined],
    ['x', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ];
  for (const [name, nearest] of table) {
    it(`finds ${nearest ?? 'nothing'} for ${JSON.stringify(name.slice(0, 20))}`, () => {
      expect(nearestName(name, known)).to.equal(nearest);
    });
  }

  const fields = ['id', 'source', 'client_id', 'destination', 'destination_type', 'dead_destination', 'dead_destination_type', 'max_retries', 'base_delay', 'initial_delay', 'max_delay', 'jitter', 'message_data', 'is_priority', 'flow_key', 'on_exhausted'];
  const meant: readonly (readonly [name: string, nearest: readonly string[]])[] = [
    ['isPriority', ['is_priority']],
    ['priority', ['is_priority']],
    ['IS-PRIORITY', ['is_priority']],
    ['is_prioirty', ['is_priority']],
    ['isprio', ['is_priority']],
    ['is_prioritised', ['is_priority']],
    ['isPrioritized', ['is_priority']],
    ['initialdel', ['initial_delay']],
    ['message_dat', ['message_data']],
    ['deadlines', []],
    ['maxRetries', ['max_retries']],
    ['retries', ['max_retries']],
    ['retry', []],
    ['delay', ['base_delay', 'initial_delay', 'max_delay']],
    ['message', ['message_data']],
    ['data', ['message_data']],
    ['messageBody', []],
    ['client', ['client_id']],
    ['clientID', ['client_id']],
    ['task_id', ['id']],
    ['soruce', ['source']],
    ['destinationType', ['destination_type']],
    ['deadDestination', ['dead_destination']],
    ['type', ['destination_type', 'dead_destination_type']],
    ['flowkey', ['flow_key']],
    ['x', []],
    ['ü', []],
    ['__proto__', []],
    ['foo_bar', []],
  ];
  for (const [name, nearest] of meant) {
    it(`takes ${JSON.stringify(name)} for ${nearest.join(' or ') || 'none of the fields of a task'}`, () => {
      expect(nearestNames(name, fields)).to.deep.equal(nearest);
    });
  }

  it('says it in words', () => {
    expect(didYouMean('isPriority', fields)).to.equal(': did you mean is_priority?');
    expect(didYouMean('delay', fields)).to.equal(': did you mean base_delay, initial_delay or max_delay?');
    expect(didYouMean('foo_bar', fields)).to.equal('');
  });

  it('takes each known name for itself alone', () => {
    for (const name of fields) expect(nearestNames(name, fields)).to.deep.equal([name]);
  });
});
