import { expect } from 'chai';

import type { AttemptRecord, LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import { attemptDueAt } from '../../../../../shared/domain/task/attempt-due.js';
import { domainTask } from '../../../../support/tasks.js';

const CREATED = 1_000;
const TASK = domainTask({ retryPolicy: { ...domainTask().retryPolicy, initialDelayMs: 500 } });
const failed = (changes: Partial<AttemptRecord> = {}): LogEntry => ({ kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'timed_out', at: 2_000, ms: 30, stalls: 0, delayMs: 400, ...changes });
const deferral: LogEntry = { kind: 'deferral', reason: 'limit', since: 9_000, until: 60_000, count: 1 };
const release: LogEntry = { kind: 'release', code: 'internal', count: 1, stalls: 0, at: 9_000 };

describe('the time at which a send was due', () => {
  const { delayMs: _none, ...older } = failed() as AttemptRecord;
  const cases: readonly (readonly [string, readonly LogEntry[], number | undefined])[] = [
    ['is the initial delay after the submission for the first send', [], 1_500],
    ['is the same when the task was put back before it', [release, deferral], 1_500],
    ['is the decided wait after a failure', [failed()], 2_430],
    ['is not moved by flow control', [failed(), deferral], 2_430],
    ['is the end of the delivery phase for a dead letter', [failed(), failed({ at: 5_000, next: 'dead_letter' })], 5_030],
    ['is the redrive for a run that a person began', [{ kind: 'redrive', run: 2, at: 7_000 }, deferral], 7_000],
    ['is not known after a record of an older version', [older], undefined],
    ['is not there for a task that has ended', [failed({ next: 'park' })], undefined],
  ];
  for (const [what, log, expected] of cases) {
    it(what, () => {
      expect(attemptDueAt(TASK, log, CREATED)).to.equal(expected);
    });
  }
});
