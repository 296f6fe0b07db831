import { createRequire } from 'node:module';

import { expect } from 'chai';
import kafkajs from 'kafkajs';

import type { DeliveryErrorCode } from '../../../../shared/domain/errors.js';
import { classifyKafkaError } from '../../../../shared/kafka/classify-error.js';
import { patchKafkajs } from '../../../../shared/kafka/kafkajs-patches.js';
import { protocolVerdicts, type Culprit } from '../../../../shared/kafka/protocol-verdicts.js';

/** Numbers of the protocol as of Kafka 4.1, but for 0, which is no error. */
const numbers = Array.from({ length: 135 }, (_, index) => index - 1).filter((number) => number !== 0);

/** kafkajs has no types for its inside. */
const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as { createErrorFromCode: (code: number) => Error };

/** The errors that a broker may answer to a producer. */
const table: readonly (readonly [number: number, type: string, code: DeliveryErrorCode, culprit: Culprit])[] = [
  [-1, 'UNKNOWN', 'broker_rejected', 'endpoint'],
  [2, 'CORRUPT_MESSAGE', 'broker_rejected', 'task'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'topic_unknown', 'endpoint'],
  [5, 'LEADER_NOT_AVAILABLE', 'broker_unavailable', 'endpoint'],
  [6, 'NOT_LEADER_FOR_PARTITION', 'broker_unavailable', 'endpoint'],
  [7, 'REQUEST_TIMED_OUT', 'broker_timed_out', 'endpoint'],
  [8, 'BROKER_NOT_AVAILABLE', 'broker_unavailable', 'endpoint'],
  [9, 'REPLICA_NOT_AVAILABLE', 'broker_unavailable', 'endpoint'],
  [10, 'MESSAGE_TOO_LARGE', 'message_too_large', 'task'],
  [13, 'NETWORK_EXCEPTION', 'broker_unavailable', 'endpoint'],
  [17, 'INVALID_TOPIC_EXCEPTION', 'topic_invalid', 'task'],
  [18, 'RECORD_LIST_TOO_LARGE', 'message_too_large', 'task'],
  [19, 'NOT_ENOUGH_REPLICAS', 'broker_unavailable', 'endpoint'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'broker_unavailable', 'endpoint'],
  [21, 'INVALID_REQUIRED_ACKS', 'broker_rejected', 'endpoint'],
  [29, 'TOPIC_AUTHORIZATION_FAILED', 'authorization_denied', 'endpoint'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', 'cluster_authorization_denied', 'host'],
  [32, 'INVALID_TIMESTAMP', 'broker_rejected', 'task'],
  [33, 'UNSUPPORTED_SASL_MECHANISM', 'broker_login_unsupported', 'host'],
  [34, 'ILLEGAL_SASL_STATE', 'broker_login_unsupported', 'host'],
  [35, 'UNSUPPORTED_VERSION', 'broker_rejected', 'host'],
  [42, 'INVALID_REQUEST', 'broker_rejected', 'endpoint'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'broker_rejected', 'endpoint'],
  [44, 'POLICY_VIOLATION', 'broker_rejected', 'endpoint'],
  [56, 'KAFKA_STORAGE_ERROR', 'broker_unavailable', 'endpoint'],
  [58, 'SASL_AUTHENTICATION_FAILED', 'broker_authentication_failed', 'host'],
  [72, 'LISTENER_NOT_FOUND', 'broker_unavailable', 'endpoint'],
  [74, 'FENCED_LEADER_EPOCH', 'broker_unavailable', 'endpoint'],
  [75, 'UNKNOWN_LEADER_EPOCH', 'broker_unavailable', 'endpoint'],
  [76, 'UNSUPPORTED_COMPRESSION_TYPE', 'broker_rejected', 'endpoint'],
  [87, 'INVALID_RECORD', 'broker_rejected', 'task'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', 'broker_unavailable', 'endpoint'],
  [100, 'UNKNOWN_TOPIC_ID', 'topic_unknown', 'endpoint'],
  [129, 'REBOOTSTRAP_REQUIRED', 'broker_unavailable', 'host'],
];

describe('protocolVerdicts', () => {
  before(() => { patchKafkajs(); });

  for (const [number, type, code, culprit] of table) {
    it(`takes ${number} for ${type}, and says ${code}, of the ${culprit}`, () => {
      const failure = classifyKafkaError(createErrorFromCode(number));
      expect(failure).to.include({ code, culprit });
      expect(failure.detail).to.match(new RegExp(`^${type}: `));
    });
  }

  it('has a verdict of its own for every number of the protocol, and none of them is unknown', () => {
    for (const number of numbers) {
      const error = createErrorFromCode(number);
      if (!(error instanceof kafkajs.KafkaJSProtocolError)) throw new Error(`${number} is no error of the protocol`);
      expect(protocolVerdicts, String(number)).to.have.property(error.type);
      expect(classifyKafkaError(error).code, error.type).to.not.equal('unknown');
    }
  });

  it('says broker_rejected, with the number, for an error that is newer than the table', () => {
    expect(classifyKafkaError(createErrorFromCode(4711))).to.include({ code: 'broker_rejected', culprit: 'endpoint' });
    expect(classifyKafkaError(createErrorFromCode(4711)).detail).to.include('4711');
  });

  it('names nothing that kafkajs does not know', () => {
    const known = new Set(numbers.map((number) => createErrorFromCode(number)).map((error) => (error instanceof kafkajs.KafkaJSProtocolError ? error.type : '')));
    expect(Object.keys(protocolVerdicts).filter((type) => !known.has(type))).to.deep.equal([]);
  });
});
