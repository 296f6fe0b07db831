import { expect } from 'chai';

import { changedFields } from '../../../../client/cli/changed-fields.js';
import { UsageError } from '../../../../client/cli/exit-codes.js';
import { submissionOf } from '../../../../client/cli/exported-line.js';
import { durationOf, filterOf, numberOf } from '../../../../client/cli/option-values.js';

describe('the options of the command line', () => {
  it('make a filter of the names of fields', () => {
    expect(filterOf({ q: 'state:parked', 'client-id': 'shop', destination: 'https://a', data: ['order.id=1001', 'note=a=b'] })).to.deep.equal({
      q: 'state:parked', client_id: 'shop', destination_key: 'https://a', 'data.order.id': '1001', 'data.note': 'a=b',
    });
  });

  it('are refused when they are empty, so that an unset variable does not mean everything', () => {
    for (const name of ['q', 'client-id', 'state']) expect(() => filterOf({ [name]: ' ' }), name).to.throw(UsageError, 'must not be empty');
    for (const data of ['=1', 'order.id=', 'order.id']) expect(() => filterOf({ data: [data] }), data).to.throw(UsageError);
  });

  it('hold numbers and lengths of time, and nothing that only begins like one', () => {
    expect([numberOf({ n: '0.5' }, 'n', { least: 0.001 }), durationOf({ t: '1.5s' }, 't'), durationOf({ t: '2h' }, 't')]).to.deep.equal([0.5, 1_500, 7_200_000]);
    for (const text of ['1e3', '-1', '5x', '0', '1.5']) expect(() => numberOf({ n: text }, 'n', { least: 1, isWhole: true }), text).to.throw(UsageError);
    for (const text of ['5', 's', '1 h']) expect(() => durationOf({ t: text }, 't'), text).to.throw(UsageError);
  });

  it('name fields of a task to be changed', () => {
    expect(changedFields(['destination.url=https://a/?b=c', 'max_retries=3', 'dead_destination=null', 'is_priority=true', 'message_data=5'], 'set')).to.deep.equal({
      destination: { url: 'https://a/?b=c' }, max_retries: 3, dead_destination: null, is_priority: true, message_data: '5',
    });
    const odd = changedFields(['__proto__.x=1', 'constructor.prototype.y=2', 'toString=3'], 'set');
    expect(JSON.stringify(odd)).to.equal('{"__proto__":{"x":1},"constructor":{"prototype":{"y":2}},"toString":3}');
    expect([Object.hasOwn(Object.prototype, 'x'), Object.hasOwn(Object.prototype, 'y')]).to.deep.equal([false, false]);
    for (const text of ['', '=1', 'max_retries']) expect(() => changedFields([text], 'set'), text).to.throw(UsageError);
    expect(() => changedFields(['destination=x', 'destination.url=y'], 'override')).to.throw(UsageError, '--override gives "destination" a value and a field');
  });
});

describe('a line of an export', () => {
  const NOW = Date.parse('2026-11-28T12:00:00Z');
  const read = (value: unknown): unknown => JSON.parse(submissionOf(JSON.stringify(value), NOW).text);

  it('becomes a task that is due when it was', () => {
    expect(read({ submission: { id: 'a', initial_delay: 1 }, state: 'retrying', run: 1, next_attempt_at: '2026-11-28T12:01:30.500Z' })).to.deep.equal({ id: 'a', initial_delay: 90.5 });
  });

  it('becomes a task that is due at once, when its time is over or it was parked', () => {
    for (const at of ['2026-11-28T11:00:00Z', null]) expect(read({ submission: { id: 'a' }, next_attempt_at: at })).to.deep.equal({ id: 'a', initial_delay: 0 });
  });

  it('may be a plain submission, which stays as it was written', () => {
    expect(submissionOf('{"id":"a", "base_delay":1.50}', NOW)).to.deep.equal({ text: '{"id":"a", "base_delay":1.50}', isExported: false, hasHistory: false });
  });

  it('tells whether receivers may know its next message: exports of older versions have no edits', () => {
    const known = [{ run: 1 }, { run: 1, edits: 0 }, { run: 2, edits: 0 }, { run: 1, edits: 3 }].map((line) => submissionOf(JSON.stringify({ submission: { id: 'a' }, ...line }), NOW).hasHistory);
    expect(known).to.deep.equal([false, false, true, true]);
  });

  it('is refused when it is neither', () => {
    for (const text of ['[]', '5', '{"submission":5}', '{"submission":{},"next_attempt_at":"soon"}', '{']) expect(() => submissionOf(text, NOW), text).to.throw();
  });
});
