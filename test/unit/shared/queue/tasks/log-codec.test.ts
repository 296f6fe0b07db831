import { expect } from 'chai';
import fc from 'fast-check';

import type { LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import { decodeCompletion, decodeLog, decodeLogField, encodeEntry } from '../../../../../shared/queue/tasks/log-codec.js';

const entries: readonly LogEntry[] = [
  { kind: 'redrive', run: 2, at: 1 },
  { kind: 'attempt', run: 2, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', at: 1, ms: 2, stalls: 0, detail: 'a "b"\n🚚', httpStatus: 500, worker: 'w' },
  { kind: 'omitted', count: 3 },
  { kind: 'release', code: 'internal', count: 1, stalls: 0, at: 3 },
];

describe('log codec', () => {
  it('gives entries back as they were, as BullMQ hands them on and as Redis holds them', () => {
    const texts = entries.map(encodeEntry);
    expect(decodeLog(texts)).to.deep.equal(entries);
    expect(decodeLogField(JSON.stringify(texts))).to.deep.equal(entries);
  });

  it('skips stack traces and kinds it does not know, and keeps the rest in order', () => {
    const [first, second] = entries.map(encodeEntry);
    const mixed = [first ?? '', 'Error: job stalled\n    at x', '{"kind":"approval","by":"x"}', 'null', '[]', '"attempt"', second ?? ''];
    expect(decodeLog(mixed)).to.deep.equal(entries.slice(0, 2));
  });

  it('is empty for a job that has none', () => {
    expect(decodeLog(undefined)).to.deep.equal([]);
    expect(decodeLog(null)).to.deep.equal([]);
    for (const field of [undefined, '', 'no json', '{}', 'null', '[1,null]']) expect(decodeLogField(field), field ?? 'undefined').to.deep.equal([]);
  });

  it('never throws, whatever stands in the field', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (field) => { expect(decodeLogField(field)).to.be.an('array'); }));
  });

  it('reads how a job ended, and nothing into what is none of ours', () => {
    expect(decodeCompletion('{"outcome":"cancelled","at":1}')).to.deep.equal({ outcome: 'cancelled', at: 1 });
    expect(decodeCompletion('{"outcome":"delivered","run":2}')).to.deep.equal({ outcome: 'delivered', run: 2 });
    for (const field of [undefined, '', 'null', '"delivered"', '{"outcome":"other"}', '17']) expect(decodeCompletion(field), field ?? 'undefined').to.equal(undefined);
  });
});
