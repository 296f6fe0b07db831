import { expect } from 'chai';

import { readProgress, type AttemptRecord, type DeadReason, type LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { deliveryErrors, type DeliveryErrorCode } from '../../../../../shared/domain/errors.js';
import {
  decideAfterFault,
  decideOutcome,
  decideUnreadable,
  defaultReleasePolicy,
  defaultStallPolicy,
  MAX_INTERNAL_RELEASES,
  type Finding,
  type Outcome,
  type OutcomeRules,
  type Start,
} from '../../../../../shared/domain/task/outcome.js';
import type { DeliveryResult } from '../../../../../shared/domain/ports.js';
import type { Jitter } from '../../../../../shared/domain/task/retry-policy.js';
import { domainTask } from '../../../../support/tasks.js';

const dead: Destination = { type: 'http', url: 'http://127.0.0.1:9/dead' };
const withDead = domainTask({ deadDestination: dead, retryPolicy: { maxRetries: 2, initialDelayMs: 0, baseDelayMs: 500, maxDelayMs: 3_000, jitter: 'none' } });
const withoutDead = { ...withDead, deadDestination: undefined, onExhausted: 'park' as const };
const rules: OutcomeRules = { dead: { attempts: 3, baseDelayMs: 100, maxDelayMs: 150 }, stall: defaultStallPolicy, release: defaultReleasePolicy, longestUncountedMs: 900_000 };

/** What a worker met after it had fetched a task. */
type Met = Exclude<Finding, { kind: 'fetched' }>;

const receipt = { httpStatus: 200 };
const delivered: Met = { kind: 'result', result: { kind: 'delivered', receipt } };
const bug: Met = { kind: 'bug' };

function failed(code: DeliveryErrorCode, retryAfterMs?: number): Met {
  const result: DeliveryResult = { kind: 'failed', code, detail: 'as the other side put it', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return { kind: 'result', result };
}

function record(changes: Partial<AttemptRecord>): AttemptRecord {
  return { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', at: 1, ms: 1, stalls: 0, ...changes };
}

/** A log in which so many deliveries have failed. */
function afterDeliveries(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, attempt) => record({ attempt }));
}

/** A log in its dead phase, with so many dead deliveries that failed. */
function afterDeadDeliveries(count: number, reason: DeadReason = 'retries_exhausted'): LogEntry[] {
  const deadSends = Array.from({ length: count }, (_, attempt) => record({ phase: 'dead', attempt, reason }));
  return [record({ next: 'dead_letter', reason }), ...deadSends];
}

function decide(finding: Met, log: LogEntry[], task = withDead, random = 0): Outcome {
  return decideOutcome(finding, task, readProgress(log, 1), rules, random);
}

describe('decideAfterFault', () => {
  const after = (finding: Finding, log: LogEntry[]): Outcome => decideAfterFault(finding, withDead, readProgress(log, 1), rules, 0);

  it('records only what a receiver has accepted, in either phase', () => {
    expect(after(delivered, [])).to.deep.equal({ kind: 'delivered', receipt });
    expect(after(delivered, afterDeadDeliveries(0))).to.include({ kind: 'dead_lettered' });
  });

  const left: readonly (readonly [name: string, finding: Finding])[] = [
    ['our own shutdown', failed('shutting_down')],
    ['a failure that may be ours', failed('connection_reset')],
    ['one that cannot get better', failed('http_client_error')],
    ['a bug', bug],
    ['no room', { kind: 'deferred', reason: 'destination_busy', waiting: 0, at: 0 }],
    ['a circuit that opened', { kind: 'circuit_opened_during_send', result: { kind: 'failed', code: 'connection_reset', detail: '' }, waiting: 0, at: 0 }],
    ['a fetch', { kind: 'fetched', stalls: 0 }],
    ['a fetch after twelve stalls', { kind: 'fetched', stalls: 12 }],
  ];
  for (const [name, finding] of left) {
    it(`leaves the task in hand: ${name}`, () => {
      for (const log of [[], afterDeliveries(2), afterDeadDeliveries(1)]) expect(after(finding, log)).to.deep.equal({ kind: 'leave', code: 'worker_crashed' });
    });
  }
});

describe('decideOutcome: no room at the destination', () => {
  const deferred = (waiting: number, at: number): Met => ({ kind: 'deferred', reason: 'destination_busy', waiting, at });

  it('defers, in either phase, and uses no attempt', () => {
    for (const log of [afterDeliveries(1), afterDeadDeliveries(1)]) {
      expect(decide(deferred(0, 5_000), log)).to.deep.equal({ kind: 'defer', waitsFor: 'destination_busy', delayMs: 60_000, since: 5_000, count: 1 });
    }
  });

  it('keeps the place in the waiting list of a task that is deferred again, and counts', () => {
    const note = { kind: 'deferral', reason: 'destination_busy', since: 1_000, until: 61_000, count: 4 } as const;
    expect(decide(deferred(1_000, 9_000), [...afterDeliveries(2), note])).to.deep.equal({ kind: 'defer', waitsFor: 'destination_busy', delayMs: 160_000, since: 1_000, count: 5 });
  });
});

describe('decideOutcome: what a send came to', () => {
  const usesNoAttempt = Object.entries(deliveryErrors).filter(([, row]) => !row.usesAttempt).map(([code]) => code as DeliveryErrorCode);
  const cannotImprove = Object.entries(deliveryErrors).filter(([, row]) => row.usesAttempt && !row.canImprove).map(([code]) => code as DeliveryErrorCode);
  const canImprove = Object.entries(deliveryErrors).filter(([, row]) => row.usesAttempt && row.canImprove).map(([code]) => code as DeliveryErrorCode);

  const table: readonly (readonly [name: string, finding: Met, log: LogEntry[], outcome: Outcome])[] = [
    ['delivered at the first attempt', delivered, [], { kind: 'delivered', receipt }],
    ['delivered at the last attempt', delivered, afterDeliveries(2), { kind: 'delivered', receipt }],
    ['the dead delivery is made', delivered, afterDeadDeliveries(0), { kind: 'dead_lettered', receipt, reason: 'retries_exhausted' }],
    ['the dead delivery is made at last', delivered, afterDeadDeliveries(2, 'permanent_error'), { kind: 'dead_lettered', receipt, reason: 'permanent_error' }],

    ['failed, two retries left', failed('http_server_error'), [], { kind: 'retry', code: 'http_server_error', delayMs: 500 }],
    ['failed, one retry left', failed('timed_out'), afterDeliveries(1), { kind: 'retry', code: 'timed_out', delayMs: 1_000 }],
    ['failed, Retry-After is a minimum', failed('http_busy', 2_500), [], { kind: 'retry', code: 'http_busy', delayMs: 2_500 }],
    ['failed, Retry-After is capped', failed('http_busy', 99_000), [], { kind: 'retry', code: 'http_busy', delayMs: 3_000 }],
    ['failed, Retry-After below the backoff', failed('http_busy', 1), [], { kind: 'retry', code: 'http_busy', delayMs: 500 }],
    ['failed, no retry left', failed('http_server_error'), afterDeliveries(2), { kind: 'dead_letter', code: 'http_server_error', reason: 'retries_exhausted' }],
    ['cannot improve: the retries are skipped', failed('message_too_large'), [], { kind: 'dead_letter', code: 'message_too_large', reason: 'permanent_error' }],
    ['cannot improve, at the last attempt', failed('topic_invalid'), afterDeliveries(2), { kind: 'dead_letter', code: 'topic_invalid', reason: 'permanent_error' }],

    ['dead delivery failed, first', failed('connection_refused'), afterDeadDeliveries(0), { kind: 'retry', code: 'connection_refused', delayMs: 100, reason: 'retries_exhausted' }],
    ['dead delivery failed, second: its own cap', failed('connection_refused'), afterDeadDeliveries(1), { kind: 'retry', code: 'connection_refused', delayMs: 150, reason: 'retries_exhausted' }],
    ['dead delivery failed, Retry-After under its own cap', failed('http_busy', 99_000), afterDeadDeliveries(0), { kind: 'retry', code: 'http_busy', delayMs: 150, reason: 'retries_exhausted' }],
    ['dead delivery failed, last', failed('connection_refused'), afterDeadDeliveries(2), { kind: 'park', code: 'connection_refused', reason: 'retries_exhausted' }],
    ['dead delivery cannot improve: the reason stays why the delivery failed', failed('message_too_large'), afterDeadDeliveries(0, 'poison'), { kind: 'park', code: 'message_too_large', reason: 'poison' }],
  ];
  for (const [name, finding, log, outcome] of table) {
    it(`${name}: ${outcome.kind}`, () => {
      expect(decide(finding, log)).to.deep.equal(outcome);
    });
  }

  const drawn: readonly (readonly [jitter: Jitter, random: number, finding: Met, log: LogEntry[], delayMs: number])[] = [
    ['none', 0, failed('timed_out'), afterDeliveries(1), 1_000],
    ['none', 0.9, failed('timed_out'), afterDeliveries(1), 1_000],
    ['equal', 0, failed('timed_out'), afterDeliveries(1), 500],
    ['equal', 0.9, failed('timed_out'), afterDeliveries(1), 950],
    ['full', 0.9, failed('timed_out'), afterDeliveries(1), 1_400],
    ['full', 0, failed('http_busy', 2_500), [], 2_500],
    // The dead delivery: waits of 100 ms, then its cap of 150 ms.
    ['none', 0.9, failed('timed_out'), afterDeadDeliveries(0), 100],
    ['equal', 0, failed('timed_out'), afterDeadDeliveries(0), 50],
    ['full', 0.5, failed('timed_out'), afterDeadDeliveries(0), 100],
    ['full', 0, failed('timed_out'), afterDeadDeliveries(1), 75],
  ];
  for (const [jitter, random, finding, log, delayMs] of drawn) {
    it(`waits ${delayMs} ms in phase ${readProgress(log, 1).phase} with jitter ${jitter} and ${random} drawn`, () => {
      const task = { ...withDead, retryPolicy: { ...withDead.retryPolicy, jitter } };
      expect(decide(finding, log, task, random)).to.include({ kind: 'retry', delayMs });
    });
  }

  it('parks where it would dead-letter a task without a dead destination', () => {
    expect(decide(failed('http_server_error'), afterDeliveries(2), withoutDead)).to.deep.equal({ kind: 'park', code: 'http_server_error', reason: 'retries_exhausted' });
    expect(decide(failed('message_too_large'), [], withoutDead)).to.deep.equal({ kind: 'park', code: 'message_too_large', reason: 'permanent_error' });
  });

  it('parks a task with on_exhausted: park although a dead destination is given', () => {
    const task = { ...withDead, onExhausted: 'park' as const };
    expect(decide(failed('http_server_error'), afterDeliveries(2), task)).to.deep.equal({ kind: 'park', code: 'http_server_error', reason: 'retries_exhausted' });
  });

  it('gives the task back uncounted and at once when told to stop, in both phases', () => {
    for (const log of [afterDeliveries(2), afterDeadDeliveries(2)]) {
      expect(decide(failed('shutting_down'), log)).to.deep.equal({ kind: 'release', code: 'shutting_down', delayMs: 0, count: undefined });
    }
  });

  for (const code of usesNoAttempt.filter((each) => each !== 'shutting_down')) {
    it(`gives the task back uncounted with a growing delay for ${code}, in both phases`, () => {
      for (const log of [afterDeliveries(2), afterDeadDeliveries(2)]) {
        expect(decide(failed(code), log)).to.deep.equal({ kind: 'release', code, delayMs: 30_000, count: 1 });
        const second: LogEntry = { kind: 'release', code, count: 1, stalls: 0, at: 1 };
        expect(decide(failed(code), [...log, second])).to.deep.equal({ kind: 'release', code, delayMs: 60_000, count: 2 });
        expect(decide(failed(code), [...log, { ...second, count: 1_000 }])).to.include({ kind: 'release', delayMs: 600_000, count: 1_001 });
      }
    });
  }
  for (const code of cannotImprove) {
    it(`skips the retries for ${code}`, () => {
      expect(decide(failed(code), []).kind).to.equal('dead_letter');
    });
  }
  for (const code of canImprove) {
    it(`retries after ${code}`, () => {
      expect(decide(failed(code), []).kind).to.equal('retry');
    });
  }
});

describe('decideOutcome: a task whose worker died', () => {
  function fetch(stalls: number, log: LogEntry[] = [], task = withDead, random = 0): Start {
    return decideOutcome({ kind: 'fetched', stalls }, task, readProgress(log, 1), rules, random);
  }

  for (const stalls of [0, 1, 2]) {
    it(`is sent after ${stalls} stalls`, () => {
      expect(fetch(stalls)).to.deep.equal({ kind: 'send' });
    });
  }

  const waits: readonly (readonly [stalls: number, delayMs: number])[] = [
    [3, 1_000],
    [4, 2_000],
    [5, 4_000],
    [11, 256_000],
  ];
  for (const [stalls, delayMs] of waits) {
    it(`waits ${delayMs} ms after stall ${stalls}, in both phases`, () => {
      for (const log of [[], afterDeadDeliveries(1)]) {
        expect(fetch(stalls, log)).to.deep.equal({ kind: 'release', code: 'worker_crashed', delayMs, count: stalls });
      }
    });
  }

  it('comes back at another time than the ones it died with', () => {
    expect(fetch(3, [], withDead, 0.5)).to.include({ delayMs: 500 });
    expect(fetch(3, [], withDead, 0.999)).to.include({ delayMs: 1 });
  });

  it('is sent when it comes back from that wait, and waits again only after the next stall', () => {
    const parted: LogEntry = { kind: 'release', code: 'worker_crashed', count: 3, stalls: 3, at: 1 };
    expect(fetch(3, [parted])).to.deep.equal({ kind: 'send' });
    expect(fetch(4, [parted])).to.include({ kind: 'release', delayMs: 2_000, count: 4 });
  });

  it('counts stalls from the last record on, the wait of before included', () => {
    const log: LogEntry[] = [record({ stalls: 7 }), { kind: 'release', code: 'worker_crashed', count: 3, stalls: 10, at: 1 }];
    expect(fetch(3, log)).to.deep.equal({ kind: 'send' });
    expect(fetch(4, log)).to.include({ kind: 'release' });
  });

  it('is poison at stall 12: dead-lettered, or parked in the dead phase or without a dead destination', () => {
    for (const stalls of [12, 13]) {
      expect(fetch(stalls)).to.deep.equal({ kind: 'dead_letter', code: 'worker_crashed', reason: 'poison' });
      expect(fetch(stalls, [], withoutDead)).to.deep.equal({ kind: 'park', code: 'worker_crashed', reason: 'poison' });
      expect(fetch(stalls, afterDeadDeliveries(1, 'poison'))).to.deep.equal({ kind: 'park', code: 'worker_crashed', reason: 'poison' });
    }
  });
});

describe('decideOutcome: a send that failed when its circuit was open already', () => {
  const NOW = 2_000_000;
  const circuitOpened = (code: DeliveryErrorCode): Met => ({ kind: 'circuit_opened_during_send', result: { kind: 'failed', code, detail: 'x' }, waiting: 10, at: NOW });
  const deferredFor = (ms: number): LogEntry => ({ kind: 'deferral', reason: 'destination_busy', since: NOW - ms, until: NOW, count: 4 });

  it('costs no attempt, and keeps its place in the waiting list', () => {
    expect(decide(circuitOpened('timed_out'), [])).to.deep.equal({ kind: 'defer', waitsFor: 'circuit_open', delayMs: 61_000, since: NOW, count: 1 });
    expect(decide(circuitOpened('timed_out'), [deferredFor(899_999)])).to.deep.equal({ kind: 'defer', waitsFor: 'circuit_open', delayMs: 61_000, since: NOW - 899_999, count: 5 });
  });

  it('counts once the task has been put back for the longest time', () => {
    expect(decide(circuitOpened('timed_out'), [deferredFor(900_000)])).to.include({ kind: 'retry', code: 'timed_out' });
  });

  it('is decided as ever where it tells of the task, or of us', () => {
    expect(decide(circuitOpened('message_too_large'), [])).to.deep.equal({ kind: 'dead_letter', code: 'message_too_large', reason: 'permanent_error' });
    expect(decide(circuitOpened('http_client_error'), [])).to.include({ kind: 'retry', code: 'http_client_error' });
    expect(decide(circuitOpened('shutting_down'), [])).to.include({ kind: 'release', code: 'shutting_down' });
    expect(decide({ ...circuitOpened('http_busy'), result: { kind: 'failed', code: 'http_busy', detail: 'x', retryAfterMs: 2_500 } } as Met, [])).to.include({ kind: 'retry', delayMs: 2_500 });
  });

  it('puts back what a broker asked to wait with, uncounted: it was not sent', () => {
    const throttled = { ...circuitOpened('broker_throttled'), result: { kind: 'failed', code: 'broker_throttled', detail: 'x', retryAfterMs: 9_000 } } as Met;
    expect(decide(throttled, [])).to.deep.equal({ kind: 'defer', waitsFor: 'circuit_open', delayMs: 61_000, since: NOW, count: 1 });
    expect(decide(throttled, [deferredFor(899_999)])).to.include({ kind: 'defer', count: 5 });
    // A broker that asks to wait for ever must lead to a dead letter.
    expect(decide(throttled, [deferredFor(900_000)])).to.include({ kind: 'retry', code: 'broker_throttled' });
  });

  it('puts it back also where there are no circuits, for the time that the broker asks for, and not for ever', () => {
    const throttled = (retryAfterMs: number): Met => ({ kind: 'result', result: { kind: 'failed', code: 'broker_throttled', detail: 'x', retryAfterMs } });
    const released = (count: number): LogEntry => ({ kind: 'release', code: 'broker_throttled', count, stalls: 0, at: 1 });
    expect(decide(throttled(1_500), [])).to.include({ kind: 'release', code: 'broker_throttled', count: 1, delayMs: 30_000 });
    expect(decide(throttled(45_000), [])).to.include({ delayMs: 45_000 });
    expect(decide(throttled(0x7fffffff), [])).to.include({ delayMs: 600_000 });
    expect(decide(throttled(1_500), [released(5)])).to.include({ kind: 'release', count: 6 });
    expect(decide(throttled(1_500), [released(6)])).to.include({ kind: 'retry', code: 'broker_throttled' });
    // What is ours never uses an attempt.
    expect(decide({ kind: 'result', result: { kind: 'failed', code: 'local_resources', detail: 'x' } }, [{ ...released(50), code: 'local_resources' } as LogEntry])).to.include({ kind: 'release', count: 51 });
  });
});

describe('decideOutcome: a bug of ours', () => {
  const released = (count: number): LogEntry => ({ kind: 'release', code: 'internal', count, stalls: 0, at: 1 });

  const waits: readonly (readonly [releases: number, delayMs: number])[] = [
    [0, 30_000],
    [1, 60_000],
    [2, 120_000],
    [4, 480_000],
    [5, 600_000],
    [9, 600_000],
  ];
  for (const [releases, delayMs] of waits) {
    it(`waits ${delayMs} ms at release ${releases + 1}, uncounted`, () => {
      const log = releases === 0 ? [] : [released(releases)];
      expect(decide(bug, log)).to.deep.equal({ kind: 'release', code: 'internal', delayMs, count: releases + 1 });
    });
  }

  it('is the task\'s fate the 11th time', () => {
    const log = [released(MAX_INTERNAL_RELEASES)];
    expect(decide(bug, log)).to.deep.equal({ kind: 'dead_letter', code: 'internal', reason: 'internal' });
    expect(decide(bug, log, withoutDead)).to.deep.equal({ kind: 'park', code: 'internal', reason: 'internal' });
    expect(decide(bug, [...afterDeadDeliveries(0, 'internal'), ...log])).to.deep.equal({ kind: 'park', code: 'internal', reason: 'internal' });
  });

  it('has ten chances again in the dead phase', () => {
    expect(decide(bug, afterDeadDeliveries(0, 'internal'))).to.deep.equal({ kind: 'release', code: 'internal', delayMs: 30_000, count: 1 });
  });

  it('does not count releases for another reason', () => {
    const log: LogEntry[] = [{ kind: 'release', code: 'worker_crashed', count: 10, stalls: 3, at: 1 }];
    expect(decide(bug, log)).to.include({ kind: 'release', count: 1 });
  });
});

describe('decideUnreadable', () => {
  it('waits 30 s doubling to 10 min, for ever', () => {
    const delays: number[] = [];
    let last: ReturnType<typeof decideUnreadable> | undefined;
    for (let turn = 0; turn < 100; turn += 1) {
      const note = last === undefined ? undefined : ({ kind: 'release', code: last.code, count: last.count ?? 0, stalls: 0, at: 1 } as const);
      last = decideUnreadable(note, rules, 0);
      delays.push(last.delayMs);
    }
    expect(delays.slice(0, 6)).to.deep.equal([30_000, 60_000, 120_000, 240_000, 480_000, 600_000]);
    expect(delays.at(-1)).to.equal(defaultReleasePolicy.maxDelayMs);
    expect(last).to.include({ kind: 'release', code: 'data_unreadable', count: 100 });
  });
});
