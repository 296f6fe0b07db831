import { expect } from 'chai';

import { waitingFor, type WaitingFacts } from '../../../../server/tasks/waiting-for.js';
import { readProgress, type LogEntry } from '../../../../shared/domain/task/attempt-record.js';
import { defaultCircuitRules, type Circuit } from '../../../../shared/domain/flow/circuit.js';
import type { DeferralReason } from '../../../../shared/domain/task/deferral.js';
import { flowDue } from '../../../../shared/domain/flow/flow-key.js';
import type { FlowPolicy } from '../../../../shared/domain/flow/flow-policy.js';
import type { TaskView } from '../../../../shared/queue/tasks/task-view.js';
import { domainTask } from '../../../support/tasks.js';

const NOW = Date.UTC(2026, 10, 23, 12);
const LATER = NOW + 60_000;
const KEY = 'tenant-7';
const GROUP = 'http://127.0.0.1:9';
const task = domainTask({ flowKey: KEY });

const failed: LogEntry = { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_busy', at: NOW - 9_000, ms: 5, stalls: 0 };
const toDead: LogEntry = { ...failed, next: 'dead_letter', reason: 'retries_exhausted' };
const deadFailed: LogEntry = { ...failed, phase: 'dead', next: 'retry' };
const released: LogEntry = { kind: 'release', code: 'internal', count: 2, stalls: 0, at: NOW - 1_000 };
const deferred = (reason: DeferralReason): LogEntry => ({ kind: 'deferral', reason, since: NOW - 2_000, until: LATER, count: 1 });

function view(log: readonly LogEntry[], nextAttemptAt: number | undefined): TaskView {
  const progress = readProgress(log, 1);
  const state = progress.phase === 'dead' ? 'dead_lettering' : 'scheduled';
  return { task, state, progress, nextAttemptAt, createdAt: NOW - 10_000, finishedAt: undefined, updatedAt: NOW - 10_000, failure: undefined, bulkActionId: undefined, worker: undefined, log, completion: undefined, edits: 0, editMarks: [], stored: { options: '', createdAt: '', attemptsMade: '', edits: '', dataBytes: 0 } };
}

interface Held {
  readonly policies?: Readonly<Record<string, FlowPolicy>>;
  readonly circuits?: Readonly<Record<string, Circuit>>;
  readonly workers?: number;
}

function facts(of: TaskView, { policies = {}, circuits = {}, workers = 2 }: Held): WaitingFacts {
  const snapshot = { policies: new Map(Object.entries(policies)), circuits: new Map(Object.entries(circuits)), workers, now: NOW };
  return { flow: flowDue(of.task, of.progress.phase), snapshot, rules: defaultCircuitRules, now: NOW };
}

const open = (changes: Partial<Circuit> = {}): Circuit => ({ openedAt: NOW - 5_000, until: NOW + 1_000, coolMs: 2_000, reason: 'failures', ...changes });
const paused = { policies: { [KEY]: { isPaused: true } } };
const down = { circuits: { [GROUP]: open() } };

describe('waiting_for', () => {
  const rows: readonly (readonly [title: string, log: readonly LogEntry[], dueAt: number, held: Held, code: string, says: RegExp])[] = [
    ['the first send', [], LATER, {}, 'initial_delay', /the first send is at 2026-11-23T12:01:00/],
    ['a retry', [failed], LATER, {}, 'backoff', /attempt 0 of 2 failed with http_busy, the next one is at/],
    ['the next try of a dead letter', [toDead, deadFailed], LATER, {}, 'dead_backoff', /dead delivery 0 failed/],
    ['a task that was put back', [failed, released], LATER, {}, 'released', /given back 2 times \(internal\)/],
    ['its first send, though paused and without a worker', [], LATER, { ...paused, workers: 0 }, 'initial_delay', /first send/],
    ['its backoff, though the circuit is open', [failed], LATER, down, 'backoff', /attempt 0/],
    ['a slot', [failed], NOW, {}, 'slot', /due since 2026-11-23T12:00:00.000Z; waits for a free slot of one of the 2 workers/],
    ['a slot, being woken', [deferred('destination_busy')], NOW - 2_000, { workers: 1 }, 'slot', /the 1 worker/],
    ['a worker', [], NOW, { workers: 0 }, 'no_worker', /no worker is connected/],
    ['a worker, being deferred', [deferred('limit')], LATER, { workers: 0 }, 'no_worker', /no worker/],
    ['an operator, being due', [], NOW, paused, 'paused', /tenant-7 was paused/],
    ['an operator who said why and until when', [], NOW, { policies: { [KEY]: { isPaused: true, pause: { since: NOW - 1_000, until: LATER, by: { type: 'anonymous', id: null, name: null, operator: 'Anna' }, reason: 'it is down' } } } }, 'paused', /^tenant-7 was paused by Anna at 2026-11-23T11:59:59.000Z \("it is down"\): nothing is sent there until 2026-11-23T12:01:00.000Z, or until it is resumed$/],
    ['an operator who paused everything', [], NOW, { policies: { '*': { isPaused: true, pause: { since: NOW - 1_000, by: { type: 'key', id: 'ab12', name: 'ops', operator: 'Anna' } } } } }, 'paused', /^everything \(\*\) was paused by Anna \(key ops\) at 2026-11-23T11:59:59.000Z: nothing is sent anywhere until it is resumed$/],
    ['an operator who paused everything, with its dead destination due', [toDead, deadFailed], NOW, { policies: { '*': { isPaused: true } } }, 'paused', /^everything \(\*\) was paused by an operator:/],
    ['an operator, with no worker there', [], NOW, { ...paused, workers: 0 }, 'paused', /tenant-7 was paused/],
    ['an operator who paused the host', [deferred('destination_busy')], LATER, { policies: { [GROUP]: { isPaused: true } } }, 'paused', /127\.0\.0\.1:9 was paused/],
    ['an open circuit', [deferred('destination_busy')], LATER, down, 'circuit_open', /open since 2026-11-23T11:59:55.000Z, the next probe is sent after 2026-11-23T12:00:01/],
    ['the circuit of its own endpoint', [deferred('circuit_open')], LATER, { circuits: { [`${KEY}\n${GROUP}`]: open() } }, 'circuit_open', /^tenant-7 failed again and again/],
    ['the circuit of its host, for failing endpoints', [deferred('circuit_open')], LATER, { circuits: { [GROUP]: open({ reason: 'endpoint_failures' }) } }, 'circuit_open', /127\.0\.0\.1:9 failed again and again at several endpoints/],
    ['the circuit of single tasks to its host', [deferred('circuit_open')], LATER, { circuits: { [`${GROUP}\n${GROUP}`]: open() } }, 'circuit_open', /^the rest of .*127\.0\.0\.1:9 failed/],
    ['its turn, though single tasks to its host wait', [deferred('destination_busy')], LATER, { circuits: { [`${GROUP}\n${GROUP}`]: open() } }, 'destination_busy', /room/],
    ['an open circuit, being due', [], NOW, down, 'circuit_open', /failed again and again/],
    ['a destination that asked to be left alone', [], NOW, { circuits: { [GROUP]: open({ reason: 'retry_after' }) } }, 'circuit_open', /Retry-After/],
    ['the end of a probe', [deferred('circuit_open')], LATER, { circuits: { [GROUP]: open({ until: NOW }) } }, 'circuit_open', /single probes have been sent since 2026-11-23T12:00:00/],
    ['a slot, the circuit given up', [], NOW, { circuits: { [GROUP]: open({ openedAt: NOW - defaultCircuitRules.maxOpenMs }) } }, 'slot', /free slot/],
    ['its turn, the circuit closed again', [deferred('circuit_open')], LATER, {}, 'destination_busy', /is sent to again, and it comes when there is room; in line since/],
    ['its turn, resumed', [deferred('paused')], LATER, {}, 'destination_busy', /is sent to again/],
    ['room', [deferred('destination_busy')], LATER, {}, 'destination_busy', /as many sends in flight as it may have; in line since 2026-11-23T11:59:58.000Z, woken when there is room, and tried at 2026-11-23T12:01:00.000Z at the latest/],
    ['a lowered rate', [deferred('rate_lowered')], LATER, {}, 'rate_lowered', /refused too many sends/],
    ['a limit', [deferred('limit')], LATER, { policies: { [KEY]: { maxConcurrency: 3, ratePerSecond: 0.5 } } }, 'limit', /the limit of tenant-7 is used up \(at most 3 in flight, at most 0.5 per second\)/],
    ['the limit of its host', [deferred('limit')], LATER, { policies: { [GROUP]: { maxConcurrency: 3 } } }, 'limit', /the limit of http:\/\/127/],
    ['its turn, the limit removed', [deferred('limit')], LATER, {}, 'destination_busy', /is sent to again/],
    ['its dead destination, whatever holds for its flow_key', [toDead, deadFailed], NOW, paused, 'slot', /free slot/],
  ];
  for (const [title, log, dueAt, held, code, says] of rows) {
    it(`names what a task waits for: ${title}`, () => {
      const one = view(log, dueAt);
      const answer = waitingFor(one, facts(one, held));
      expect(answer?.code).to.equal(code);
      expect(answer?.message).to.match(says);
    });
  }

  const unknowns: readonly (readonly [title: string, log: readonly LogEntry[], dueAt: number, code: string, says: RegExp])[] = [
    ['a task that is due', [], NOW, 'unknown', /^due since 2026-11-23T12:00:00.000Z; the part of redis .* does not answer, so why it waits now is not known$/],
    ['a task that was put back', [deferred('paused')], LATER, 'unknown', /^put back at 2026-11-23T11:59:58.000Z \(paused\); the part of redis/],
    ['a retry whose time has not come', [failed], LATER, 'backoff', /attempt 0/],
  ];
  for (const [title, log, dueAt, code, says] of unknowns) {
    it(`says what is known where Redis does not tell what holds its destination: ${title}`, () => {
      const one = view(log, dueAt);
      const answer = waitingFor(one, { ...facts(one, paused), snapshot: undefined });
      expect(answer?.code).to.equal(code);
      expect(answer?.message).to.match(says);
    });
  }

  it('is null while a task is being sent, and when it is finished', () => {
    const one = view([], undefined);
    expect(waitingFor(one, undefined)).to.equal(null);
  });
});
