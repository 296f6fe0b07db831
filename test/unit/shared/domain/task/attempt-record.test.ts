import { expect } from 'chai';
import fc from 'fast-check';

import { makeRoom, readProgress, type AttemptRecord, type LogEntry, type DeferralNote, type ReleaseNote } from '../../../../../shared/domain/task/attempt-record.js';

function attempt(changes: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    kind: 'attempt',
    run: 1,
    attempt: 0,
    phase: 'delivery',
    next: 'retry',
    outcome: 'failed',
    code: 'http_server_error',
    at: 1_000,
    ms: 5,
    stalls: 0,
    ...changes,
  };
}

function release(changes: Partial<ReleaseNote> = {}): ReleaseNote {
  return { kind: 'release', code: 'internal', count: 1, stalls: 0, at: 9_000, ...changes };
}

/** Deliveries 0 to n - 1 that failed. */
function deliveries(count: number): AttemptRecord[] {
  return Array.from({ length: count }, (_, index) => attempt({ attempt: index, at: 1_000 + index }));
}

const deferral: DeferralNote = { kind: 'deferral', reason: 'destination_busy', since: 9_500, until: 69_500, count: 2 };

describe('readProgress', () => {
  it('knows a deferral that stands last, and the release that stood before it', () => {
    const progress = readProgress([...deliveries(2), release({ count: 3 }), deferral], 1);
    expect(progress).to.deep.include({ attempt: 2, phase: 'delivery', lastDeferral: deferral, lastRelease: release({ count: 3 }) });
    expect(readProgress([deferral, ...deliveries(1)], 1).lastDeferral, 'an attempt was made since').to.equal(undefined);
  });

  it('is at the first send when nothing has happened', () => {
    expect(readProgress([], 3)).to.deep.equal({
      run: 3,
      phase: 'delivery',
      attempt: 0,
      deliverySends: 0,
      stallsAtLastRecord: 0,
      firstFailedAt: undefined,
      lastFailure: undefined,
      deadReason: undefined,
      lastRelease: undefined,
      lastDeferral: undefined,
    });
  });

  it('is at the next delivery after a failed one', () => {
    const last = attempt({ attempt: 1, at: 2_000, stalls: 4 });
    expect(readProgress([attempt(), last], 1)).to.include({
      phase: 'delivery',
      attempt: 2,
      deliverySends: 2,
      stallsAtLastRecord: 4,
      firstFailedAt: 1_005,
      lastFailure: last,
    });
  });

  it('is at the first dead delivery after the record that gave the delivery up', () => {
    const last = attempt({ attempt: 2, next: 'dead_letter', reason: 'retries_exhausted' });
    expect(readProgress([...deliveries(2), last], 1)).to.include({ phase: 'dead', attempt: 0, deliverySends: 3, deadReason: 'retries_exhausted', lastFailure: last });
  });

  it('counts dead deliveries on their own and keeps the failure of the delivery', () => {
    const last = attempt({ attempt: 2, next: 'dead_letter', reason: 'retries_exhausted' });
    const dead = attempt({ phase: 'dead', attempt: 0, code: 'connection_refused', reason: 'retries_exhausted', at: 5_000 });
    const progress = readProgress([...deliveries(2), last, dead, { ...dead, attempt: 1 }], 1);
    expect(progress).to.include({ phase: 'dead', attempt: 2, deliverySends: 3, deadReason: 'retries_exhausted', lastFailure: last, firstFailedAt: 1_005 });
  });

  it('counts no send for a verdict that was reached without one', () => {
    const poison = attempt({ attempt: 1, next: 'dead_letter', outcome: 'poison', code: 'worker_crashed', reason: 'poison' });
    expect(readProgress([attempt(), poison], 1)).to.include({ phase: 'dead', deliverySends: 1, lastFailure: poison });
    expect(readProgress([{ ...poison, attempt: 0 }], 1)).to.include({ phase: 'dead', deliverySends: 0 });
  });

  it('starts again at a redrive, whatever the submission said about the run', () => {
    expect(readProgress([{ kind: 'redrive', run: 5, at: 1 }], 2)).to.include({ run: 5, phase: 'delivery', attempt: 0, deliverySends: 0 });
  });

  it('goes on counting behind records that were left out', () => {
    const log: LogEntry[] = [attempt(), { kind: 'omitted', count: 40 }, attempt({ attempt: 41 })];
    expect(readProgress(log, 1)).to.include({ attempt: 42, deliverySends: 42, firstFailedAt: 1_005 });
  });

  it('remembers a release only while it is the newest entry, and counts no attempt for it', () => {
    const note = release({ count: 3 });
    expect(readProgress([attempt(), note], 1)).to.include({ attempt: 1, lastRelease: note });
    expect(readProgress([note, attempt()], 1).lastRelease).to.equal(undefined);
  });
});

describe('makeRoom', () => {
  it('leaves a short log as it is', () => {
    const log = deliveries(19);
    expect(makeRoom(log)).to.deep.equal(log);
    expect(makeRoom([])).to.deep.equal([]);
  });

  it('drops a trailing release note', () => {
    expect(makeRoom([attempt(), release()])).to.deep.equal([attempt()]);
  });

  it('keeps the first record and the newest, with a count of those between', () => {
    const log = deliveries(30);
    expect(makeRoom(log)).to.deep.equal([log[0], { kind: 'omitted', count: 10 }, ...log.slice(-19)]);
  });

  it('adds up what was left out before', () => {
    const log = deliveries(40);
    const before: LogEntry[] = [attempt(), { kind: 'omitted', count: 7 }, ...log.slice(1)];
    expect(makeRoom(before)).to.deep.equal([attempt(), { kind: 'omitted', count: 27 }, ...log.slice(-19)]);
  });

  it('keeps the record that led to the dead phase, however many dead deliveries follow', () => {
    const turning = attempt({ attempt: 2, next: 'dead_letter', reason: 'retries_exhausted' });
    const dead = Array.from({ length: 50 }, (_, index) => attempt({ phase: 'dead', attempt: index }));
    const room = makeRoom([...deliveries(2), turning, ...dead]);
    expect(room.filter((entry) => entry === turning)).to.have.lengthOf(1);
    expect(readProgress(room, 1)).to.deep.equal(readProgress([...deliveries(2), turning, ...dead], 1));
  });

  it('keeps the mark of a redrive in front', () => {
    const mark: LogEntry = { kind: 'redrive', run: 2, at: 1 };
    const log = deliveries(30);
    expect(makeRoom([mark, ...log]).slice(0, 3)).to.deep.equal([mark, log[0], { kind: 'omitted', count: 10 }]);
  });

  /** A log as a worker writes it: each entry appended to what makeRoom left. */
  const histories = fc
    .record({ isRedriven: fc.boolean(), sends: fc.integer({ min: 1, max: 101 }), deadSends: fc.integer({ min: 0, max: 150 }), releasesBefore: fc.array(fc.nat({ max: 200 }), { maxLength: 5 }) })
    .map(({ isRedriven, sends, deadSends, releasesBefore }) => {
      const start: LogEntry[] = isRedriven ? [{ kind: 'redrive', run: 2, at: 1 }] : [];
      const records = [
        ...deliveries(sends).map((record, index) => (index === sends - 1 && deadSends > 0 ? { ...record, next: 'dead_letter' as const, reason: 'retries_exhausted' as const } : record)),
        ...Array.from({ length: deadSends }, (_, index) => attempt({ phase: 'dead', attempt: index, reason: 'retries_exhausted' })),
      ];
      return { start, records, releasesBefore };
    });

  it('never changes what the log says, and bounds it, over any history', () => {
    fc.assert(
      fc.property(histories, ({ start, records, releasesBefore }) => {
        let bounded = start;
        records.forEach((record, index) => {
          if (releasesBefore.includes(index)) bounded = [...makeRoom(bounded), release()];
          const room = makeRoom(bounded);
          expect(room.length).to.be.at.most(23);
          bounded = [...room, record];
        });
        const whole = [...start, ...records];
        expect(readProgress(bounded, 1)).to.deep.equal(readProgress(whole, 1));
        const counted = bounded.reduce((sum, entry) => sum + (entry.kind === 'omitted' ? entry.count : 1), 0);
        expect(counted).to.equal(whole.length);
        expect(bounded.slice(-Math.min(20, records.length))).to.deep.equal(records.slice(-20));
      }),
    );
  });
});
