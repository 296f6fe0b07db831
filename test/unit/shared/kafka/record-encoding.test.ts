import { createRequire } from 'node:module';

import { expect } from 'chai';
import fc from 'fast-check';

import { writeKafkajsRecords } from '../../../../shared/kafka/kafkajs-records.js';
import { encodeRecord, type KafkaRecord } from '../../../../shared/kafka/record-encoding.js';

type MakeRecord = (record: KafkaRecord) => { readonly buffer: Buffer };

const require = createRequire(import.meta.url);
const path = 'kafkajs/src/protocol/recordBatch/record/v0';

/** kafkajs' own, whatever stands in Node's cache by now. */
function unpatched(): MakeRecord {
  const file = require.resolve(path);
  const cached = require.cache[file];
  Reflect.deleteProperty(require.cache, file);
  try {
    return require(path) as MakeRecord;
  } finally {
    if (cached !== undefined) require.cache[file] = cached;
  }
}

const theirs = unpatched();

function expectTheirBytes(record: KafkaRecord): void {
  const bytes = encodeRecord(record);
  expect(bytes?.equals(theirs(record).buffer), JSON.stringify({ ...record, key: undefined, value: undefined })).to.equal(true);
}

const text = fc.string({ unit: 'binary', maxLength: 200 });
const count = fc.integer({ min: 0, max: 2 ** 30 - 1 });

describe('encodeRecord', () => {
  // Where a varint becomes one byte longer, doubled as it is by the zigzag.
  const edges = [0, 1, 63, 64, 127, 128, 8_191, 8_192, 2 ** 20 - 1, 2 ** 20, 2 ** 27 - 1, 2 ** 27, 2 ** 30 - 1];
  for (const edge of edges) {
    it(`writes ${edge} as kafkajs does, as number, as time, and as a length where a message may be so long`, () => {
      expectTheirBytes({ offsetDelta: edge, timestampDelta: edge, key: Buffer.from('k'), value: Buffer.from('v'), headers: {} });
      if (edge > 2 ** 20) return;
      expectTheirBytes({ key: Buffer.alloc(edge, 'k'), value: Buffer.alloc(edge, 'v'), headers: { h: 'x'.repeat(edge), ['n'.repeat(edge)]: '' } });
    });
  }

  it('writes whatever it takes as kafkajs does', () => {
    const records = fc.record({
      offsetDelta: count,
      timestampDelta: count,
      key: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      value: fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
      headers: fc.dictionary(text, text, { maxKeys: 20, noNullPrototype: true }),
    });
    fc.assert(fc.property(records, expectTheirBytes), { numRuns: 500 });
  });

  const key = Buffer.from('k');
  const value = Buffer.from('v');
  const others: readonly (readonly [name: string, record: KafkaRecord])[] = [
    ['no key', { key: null, value }],
    ['no value', { key, value: null }],
    ['a text as key', { key: 'k', value }],
    ['a header of bytes', { key, value, headers: { h: Buffer.from('x') } }],
    ['a header with two values', { key, value, headers: { h: ['a', 'b'] } }],
    ['a time before the first record', { key, value, timestampDelta: -1 }],
    ['a time that no 32 bits hold', { key, value, timestampDelta: 2 ** 30 }],
    ['a Long', { key, value, timestampDelta: { low: 1, high: 0, unsigned: false } }],
    ['a number that is none', { key, value, offsetDelta: Number.NaN }],
  ];
  for (const [name, record] of others) {
    it(`leaves ${name} to kafkajs`, () => expect(encodeRecord(record)).to.equal(undefined));
  }
});

describe('writeKafkajsRecords', () => {
  it('fits the kafkajs that is installed: if it fails after an update, read the patch against the new source', () => {
    expect(writeKafkajsRecords()).to.equal(true);
    expect(writeKafkajsRecords(), 'twice').to.equal(true);
  });

  it('gives kafkajs what its own encoder gives, also for what ours leaves to it', () => {
    writeKafkajsRecords();
    const patched = require(path) as MakeRecord;
    const record = { offsetDelta: 3, timestampDelta: 70, key: Buffer.from('k'), value: Buffer.from('{"ä":1}'), headers: { 'x-retry-task-id': 'ü', empty: '' } };
    const withoutKey = { ...record, key: null };
    for (const each of [record, withoutKey]) expect(patched(each).buffer.equals(theirs(each).buffer)).to.equal(true);
  });

  it('gives what kafkajs can put into a batch, checksum and all', async () => {
    writeKafkajsRecords();
    const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as { readonly RecordBatch: (batch: object) => Promise<{ buffer: Buffer }> };
    const record = { offsetDelta: 0, timestampDelta: 0, key: Buffer.from('k'), value: Buffer.from('v'), headers: {} };
    const batchOf = async (make: MakeRecord): Promise<Buffer> => (await RecordBatch({ compression: 0, firstTimestamp: 1, maxTimestamp: 1, partition: 0, records: [make(record)] })).buffer;
    expect((await batchOf(require(path) as MakeRecord)).equals(await batchOf(theirs))).to.equal(true);
  });
});
