import { expect } from 'chai';

import { linesOf } from '../../../../server/ops/board-lines.js';
import type { AttemptRecord, LogEntry } from '../../../../shared/domain/task/attempt-record.js';

const at = Date.parse('2026-11-28T01:56:29.156Z');
const attempt: AttemptRecord = { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', at, ms: 812, stalls: 0, httpStatus: 500, detail: 'HTTP 500: database down', worker: 'worker-1' };
const person = (operator: string | null) => ({ type: 'anonymous', id: null, name: null, operator }) as const;

describe('linesOf', () => {
  const table: readonly (readonly [entry: LogEntry, line: string])[] = [
    [attempt, '2026-11-28T01:56:29.156Z run 1, attempt 0: failed after 812 ms, http_server_error: HTTP 500: database down; next: retry (worker-1)'],
    [{ ...attempt, attempt: 3, next: 'park', code: 'timed_out', httpStatus: 200, detail: 'no end', ms: -5 }, '2026-11-28T01:56:29.156Z run 1, attempt 3: failed after 0 ms, timed_out: no end (HTTP 200); next: none, it is parked (worker-1)'],
    [{ kind: 'attempt', run: 2, attempt: 0, phase: 'dead', next: 'dead_lettered', outcome: 'delivered', code: undefined, at, ms: 44, stalls: 0 }, '2026-11-28T01:56:29.156Z run 2, dead delivery 0: delivered after 44 ms; next: none, it is a dead letter'],
    [{ kind: 'attempt', run: 1, attempt: 1, phase: 'delivery', next: 'dead_letter', outcome: 'poison', code: 'worker_crashed', at, ms: 0, stalls: 3 }, '2026-11-28T01:56:29.156Z run 1, attempt 1: not sent, because it ends its workers, worker_crashed; next: dead delivery'],
    [{ kind: 'omitted', count: 1 }, '1 more entry is left out here'],
    [{ kind: 'redrive', run: 2, at }, '2026-11-28T01:56:29.156Z run 2: started again by a person'],
    [{ kind: 'redrive', run: 2, at, by: person('Anna') }, '2026-11-28T01:56:29.156Z run 2: started again by Anna'],
    [{ kind: 'redrive', run: 2, at, by: person(null), bulk: 'ba_1' }, '2026-11-28T01:56:29.156Z run 2: started again by an operator (bulk action ba_1)'],
    [{ kind: 'sent_now', run: 1, at, by: person('Anna'), bulk: 'ba_1' }, '2026-11-28T01:56:29.156Z run 1: sent now by Anna (bulk action ba_1)'],
    [{ kind: 'deferral', reason: 'circuit_open', since: at, until: at, count: 2 }, '2026-11-28T01:56:29.156Z waits in line: circuit_open, put back 2 times'],
    [{ kind: 'release', code: 'internal', count: 1, stalls: 0, at }, '2026-11-28T01:56:29.156Z given back uncounted: internal, once'],
    [{ kind: 'redrive', run: 2, at: NaN }, '(no time) run 2: started again by a person'],
  ];
  for (const [entry, line] of table) {
    it(`writes ${line}`, () => {
      expect(linesOf([entry], undefined)).to.deep.equal([line]);
    });
  }

  it('shows each change of the task at its place, with who made it', () => {
    const lines = linesOf([attempt, { kind: 'redrive', run: 2, at: at + 2_000 }], undefined, [{ kind: 'edited', run: 1, at: at + 1_000, by: person('Anna'), edit: 1 }, { kind: 'edited', run: 2, at: at + 3_000, by: person(null), edit: 2 }]);
    expect(lines.slice(1)).to.deep.equal(['2026-11-28T01:56:30.156Z run 1: edit 1 by Anna', '2026-11-28T01:56:31.156Z run 2: started again by a person', '2026-11-28T01:56:32.156Z run 2: edit 2 by an operator']);
  });

  it('ends with the delivery, or with the person who cancelled it', () => {
    expect(linesOf([attempt], { outcome: 'delivered', run: 1, attempt: 1, at, ms: 9, worker: 'worker-2', receipt: { httpStatus: 204 } }).at(-1)).to.equal('2026-11-28T01:56:29.156Z run 1, attempt 1: delivered after 9 ms (worker-2)');
    expect(linesOf([], { outcome: 'cancelled', at })).to.deep.equal(['2026-11-28T01:56:29.156Z cancelled by a person']);
    expect(linesOf([], { outcome: 'cancelled', at, by: person('Anna'), bulk: 'ba_1' })).to.deep.equal(['2026-11-28T01:56:29.156Z cancelled by Anna (bulk action ba_1)']);
  });

  it('shows what is hidden in the words of a receiver', () => {
    expect(linesOf([{ ...attempt, detail: 'a\u202eb' }], undefined)[0]).to.contain(String.raw`a\u202eb`);
  });
});
