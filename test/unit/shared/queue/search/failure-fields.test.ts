import { expect } from 'chai';
import fc from 'fast-check';

import { deadReasons, makeRoom, type AttemptRecord, type LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import { failureFieldsOf, packFailureFields, unpackFailureFields, type FailureFields } from '../../../../../shared/queue/search/failure-fields.js';

const record = (changes: Partial<AttemptRecord>): AttemptRecord => ({ kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', httpStatus: 503, at: 1_000, ms: 5, stalls: 0, ...changes });
const withoutStatus = (changes: Partial<AttemptRecord>): AttemptRecord => {
  const { httpStatus: _none, ...rest } = record(changes);
  return rest;
};
const deferral: LogEntry = { kind: 'deferral', reason: 'limit', since: 1, until: 2, count: 1 };

describe('failure fields', () => {
  it('give back what was packed', () => {
    const fields: fc.Arbitrary<FailureFields> = fc.record({
      attemptsMade: fc.nat(),
      phase: fc.constantFrom('delivery', 'dead'),
      attempts: fc.nat(),
      code: fc.option(fc.stringMatching(/^[a-z_]{1,30}$/), { nil: undefined }),
      httpStatus: fc.option(fc.integer({ min: 100, max: 999 }), { nil: undefined }),
      deadReason: fc.option(fc.constantFrom(...deadReasons), { nil: undefined }),
      dueAt: fc.option(fc.nat(), { nil: undefined }),
      next: fc.option(fc.constantFrom('retry', 'dead_letter', 'dead_lettered', 'park'), { nil: undefined }),
      endedAt: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(fc.property(fields, (each) => { expect(unpackFailureFields(packFailureFields(each))).to.deep.equal(each); }));
  });

  it('are one short text: version, then values in a fixed order', () => {
    const fields = failureFieldsOf([record({ attempt: 1, next: 'dead_letter', reason: 'retries_exhausted' })], 2);
    expect(fields === undefined ? undefined : packFailureFields(fields)).to.equal('12\x1fdead\x1f2\x1fhttp_server_error\x1f503\x1fretries_exhausted\x1f1005\x1fdead_letter\x1f1005');
  });

  it('of a newer version are left alone, and values that a later one appends are skipped', () => {
    expect(unpackFailureFields('22\x1fdead\x1f2\x1fx\x1f503\x1f')).to.equal(undefined);
    expect(unpackFailureFields('12\x1fdead\x1f2\x1fx\x1f503\x1f\x1f1005\x1fmore')).to.include({ attemptsMade: 2, phase: 'dead', attempts: 2, dueAt: 1_005, next: undefined });
  });

  it('of a version that told no due time have none', () => {
    expect(unpackFailureFields('12\x1fdead\x1f2\x1fx\x1f503\x1f')).to.include({ attempts: 2, dueAt: undefined, next: undefined, endedAt: undefined });
  });

  const cases: readonly (readonly [string, readonly LogEntry[], Partial<FailureFields> | undefined])[] = [
    ['a log without an attempt', [{ kind: 'redrive', run: 2, at: 1 }, deferral], undefined],
    ['a failure that is retried', [record({ delayMs: 250 })], { phase: 'delivery', attempts: 1, code: 'http_server_error', httpStatus: 503, deadReason: undefined, dueAt: 1_255 }],
    ['a failure of a version that did not record the wait', [record({})], { phase: 'delivery', attempts: 1, dueAt: undefined }],
    ['the last failure, with no status', [record({}), withoutStatus({ attempt: 1, code: 'connection_refused' }), deferral], { phase: 'delivery', attempts: 2, code: 'connection_refused', httpStatus: undefined }],
    ['retries used up', [record({}), record({ attempt: 1, next: 'dead_letter', reason: 'retries_exhausted' })], { phase: 'dead', attempts: 2, deadReason: 'retries_exhausted' }],
    [
      'a dead letter that failed once',
      [record({ next: 'dead_letter', reason: 'retries_exhausted' }), withoutStatus({ phase: 'dead', code: 'connection_refused', reason: 'retries_exhausted' })],
      { phase: 'dead', attempts: 2, code: 'connection_refused', httpStatus: undefined, deadReason: 'retries_exhausted' },
    ],
    [
      'a dead letter that arrived: its failure is the one before',
      [record({ attempt: 2, next: 'dead_letter', reason: 'retries_exhausted' }), withoutStatus({ phase: 'dead', next: 'dead_lettered', outcome: 'delivered', code: undefined, reason: 'retries_exhausted' })],
      { phase: 'dead', attempts: 4, code: 'http_server_error', httpStatus: 503, deadReason: 'retries_exhausted' },
    ],
    ['one that was parked from its delivery', [record({ next: 'park', reason: 'permanent_error', httpStatus: 404 })], { phase: 'delivery', attempts: 1, httpStatus: 404, deadReason: 'permanent_error', dueAt: undefined }],
    ['poison: a verdict without a send', [withoutStatus({ outcome: 'poison', code: 'worker_crashed', next: 'dead_letter', reason: 'poison' })], { phase: 'dead', attempts: 0, code: 'worker_crashed', deadReason: 'poison' }],
  ];
  for (const [what, log, expected] of cases) {
    it(`repeat of ${what} what a filter asks for`, () => {
      const fields = failureFieldsOf(log, 7);
      if (expected === undefined) expect(fields).to.equal(undefined);
      else expect(fields).to.include({ attemptsMade: 7, ...expected });
    });
  }

  it('count every send of a long log, also those that were dropped from it', () => {
    let log: LogEntry[] = [];
    for (let attempt = 0; attempt < 60; attempt += 1) log = [...makeRoom(log), record({ attempt })];
    expect(failureFieldsOf(log, 60)).to.include({ attempts: 60 });
  });
});
