import { expect } from 'chai';
import fc from 'fast-check';

import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { readProgress, type AttemptRecord, type LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import { attemptToSend, printFailure } from '../../../../../shared/domain/task/outgoing-message.js';
import { domainTask } from '../../../../support/tasks.js';

const task = domainTask({
  id: 't',
  source: 'orders',
  clientId: 'team-a',
  destination: { type: 'http', url: 'https://user:secret@api.example.com/hook?token=secret' },
  retryPolicy: { maxRetries: 2, initialDelayMs: 1, baseDelayMs: 1, maxDelayMs: 1, jitter: 'none' },
  messageData: '{"a":"ü"}\n',
});

function record(changes: Partial<AttemptRecord>): AttemptRecord {
  return { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', at: 0, ms: 1, stalls: 0, ...changes };
}

function sendAfter(log: LogEntry[], firstRun = 1): ReturnType<typeof attemptToSend> {
  return attemptToSend(task, readProgress(log, firstRun), defaultPathMask);
}

const exhausted: LogEntry[] = [
  record({ at: Date.UTC(2025, 0, 1), detail: 'first' }),
  record({ attempt: 1 }),
  record({ attempt: 2, at: Date.UTC(2025, 0, 2), next: 'dead_letter', reason: 'retries_exhausted', detail: 'HTTP 500 upstream down' }),
];

describe('attemptToSend', () => {
  it('sends a delivery with its number in the key, the body unchanged and where it comes from', () => {
    expect(sendAfter([record({})])).to.deep.equal({
      taskId: 't',
      trace: undefined,
      run: 1,
      edit: 0,
      phase: 'delivery',
      key: 't|1',
      body: '{"a":"ü"}\n',
      headers: {
        'x-retry-task-id': 't',
        'x-retry-source': 'orders',
        'x-retry-client-id': 'team-a',
        'x-retry-attempt': '1',
        'x-retry-max-retries': '2',
        'x-retry-run': '1',
      },
    });
  });

  it('says in a header how often a person has changed the task, in both phases, and nothing where nobody has', () => {
    for (const log of [[record({})], exhausted]) {
      const { headers } = attemptToSend(task, readProgress(log, 1), defaultPathMask, 3);
      expect(headers).to.deep.equal({ ...sendAfter(log).headers, 'x-retry-edit': '3' });
    }
    expect(sendAfter([]).headers).to.not.have.property('x-retry-edit');
  });

  it('sends a dead letter with the number of sends in the key, the same body and what happened', () => {
    expect(sendAfter(exhausted)).to.deep.equal({
      taskId: 't',
      trace: undefined,
      run: 1,
      edit: 0,
      phase: 'dead',
      key: 't|dead|3',
      body: '{"a":"ü"}\n',
      headers: {
        'x-retry-task-id': 't',
        'x-retry-source': 'orders',
        'x-retry-client-id': 'team-a',
        'x-retry-attempt': '2',
        'x-retry-max-retries': '2',
        'x-retry-run': '1',
        'x-retry-dead-reason': 'retries_exhausted',
        'x-retry-error': 'http_server_error: HTTP 500 upstream down',
        'x-retry-first-failed-at': '2025-01-01T00:00:00.001Z',
        'x-retry-last-failed-at': '2025-01-02T00:00:00.001Z',
        'x-retry-original-destination': 'https://api.example.com/hook',
      },
    });
  });

  it('says where a dead letter could not be delivered by the key that it has everywhere else', () => {
    const brokers = new Set(['broker-1:9092']);
    const original = (destination: Destination, flowKey?: string): unknown =>
      attemptToSend(domainTask({ destination, flowKey }), readProgress(exhausted, 1), defaultPathMask, 0, brokers).headers['x-retry-original-destination'];
    expect(original({ type: 'http', url: 'https://API.example.com:443/T1/a1b2c3d4e5f6g7h8i9j0?x=1' })).to.equal('https://api.example.com/T1/*10ee68888777ddca9eee1b40378c22d1');
    const topic = { type: 'kafka', topic: 'orders', key: undefined, headers: undefined } as const;
    expect(original({ ...topic, broker: undefined })).to.equal('kafka://default/orders');
    expect(original({ ...topic, broker: { host: 'Broker-1', port: 9092 } })).to.equal('kafka://default/orders');
    expect(original({ ...topic, broker: { host: 'Broker-2', port: 9092 } }, 'tenant-7')).to.equal('kafka://broker-2:9092/orders');
  });

  it('sends the same dead letter again when its delivery failed', () => {
    const again = [...exhausted, record({ phase: 'dead', code: 'connection_refused', at: Date.UTC(2025, 5, 1), reason: 'retries_exhausted' })];
    expect(sendAfter(again)).to.deep.equal(sendAfter(exhausted));
  });

  it('counts only sends that were made: after one permanent error, or none at all', () => {
    const permanent = record({ next: 'dead_letter', code: 'message_too_large', reason: 'permanent_error' });
    expect(sendAfter([permanent])).to.have.property('key', 't|dead|1');
    const poison = record({ next: 'dead_letter', outcome: 'poison', code: 'worker_crashed', reason: 'poison' });
    const letter = sendAfter([poison]);
    expect(letter).to.have.property('key', 't|dead|0');
    expect(letter.headers).to.include({ 'x-retry-dead-reason': 'poison', 'x-retry-error': 'worker_crashed', 'x-retry-attempt': '0' });
  });

  it('tells the run, after a resubmission and after a redrive', () => {
    expect(sendAfter([], 4).headers).to.have.property('x-retry-run', '4');
    expect(sendAfter([{ kind: 'redrive', run: 5, at: 1 }], 4)).to.deep.include({ key: 't|0' });
    expect(sendAfter([{ kind: 'redrive', run: 5, at: 1 }], 4).headers).to.have.property('x-retry-run', '5');
  });
});

describe('printFailure', () => {
  const table: readonly (readonly [code: string, detail: string | undefined, text: string])[] = [
    ['timed_out', undefined, 'timed_out'],
    ['timed_out', '', 'timed_out'],
    ['http_server_error', 'HTTP 500 upstream down', 'http_server_error: HTTP 500 upstream down'],
    ['unknown', 'a\r\nSet-Cookie: b\u0000c', 'unknown: a Set-Cookie: b c'],
  ];
  for (const [code, detail, text] of table) {
    it(`prints ${JSON.stringify(text)}`, () => {
      expect(printFailure(code, detail)).to.equal(text);
    });
  }

  it('is short, well-formed and without control characters, whatever was said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (detail) => {
        const text = printFailure('unknown', detail);
        expect(text.length).to.be.at.most(500);
        expect(text.isWellFormed()).to.equal(true);
        expect(text).to.not.match(/\p{Cc}/u);
      }),
    );
  });

  it('leaves no half of a character where it cuts', () => {
    const text = printFailure('unknown', `${'x'.repeat(490)}🚚`);
    expect(text.isWellFormed()).to.equal(true);
  });
});
