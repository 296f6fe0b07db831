import { requireKnownKafkajs } from './kafkajs-version.js';
import { encodeRecord, type KafkaRecord } from './record-encoding.js';

const recordPath = 'kafkajs/src/protocol/recordBatch/record/v0';
const isPatched = Symbol.for('kafka-retry-service.kafkajs-records-patched');

type MakeRecord = ((record: KafkaRecord) => unknown) & { readonly [isPatched]?: true };

/**
 * Lets our own encoder write the records of a batch. kafkajs makes an encoder of 512 zeroed bytes for each record and
 * again for each of its headers, of which a message of ours has six: a quarter of what a delivery to Kafka costs.
 *
 * kafkajs loads the code of a request when it is first used, and that code loads the encoder of records: before the
 * first send it can be exchanged in Node's cache of modules. Whatever our encoder does not know goes to theirs.
 *
 * @returns whether it is in place. false: this kafkajs is another one than was patched, and is left alone
 */
export function writeKafkajsRecords(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;

  const makeRecord = require(recordPath) as MakeRecord;
  const module = require.cache[require.resolve(recordPath)];
  if (typeof makeRecord !== 'function' || module === undefined) return false;
  if (makeRecord[isPatched] === true) return true;

  const makeRecordFast = (record: KafkaRecord): unknown => {
    const buffer = encodeRecord(record);
    // What kafkajs reads of an encoder when it puts it into a batch.
    return buffer === undefined ? makeRecord(record) : { buf: buffer, buffer };
  };
  module.exports = Object.assign(makeRecordFast, { [isPatched]: true });
  return true;
}
