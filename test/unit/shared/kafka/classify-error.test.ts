import { expect } from 'chai';
import kafkajs from 'kafkajs';

import type { DeliveryErrorCode } from '../../../../shared/domain/errors.js';
import { BrokerThrottled, LeaderDown, NoAnswerInTime, NotSentInTime, PartitionGone, PartitionWithoutLeader, classifyKafkaError } from '../../../../shared/kafka/classify-error.js';
import { ClosedAtFirstRequest, LoginRefused, NoCommonVersion, NoKafkaBroker, ServerNotProven } from '../../../../shared/kafka/no-kafka-broker.js';
import type { FailureScope } from '../../../../shared/kafka/protocol-verdicts.js';
import { TlsExpected, TlsNotSpoken } from '../../../../shared/tls/tls-fault.js';

/** As kafkajs makes it from a code in an answer; its types know only the text. */
function protocolError(type: string, retriable = false): Error {
  return new kafkajs.KafkaJSProtocolError(Object.assign(new Error(`text about ${type}`), { type, code: 1, retriable }));
}

function connectionError(code?: string): Error {
  return new kafkajs.KafkaJSConnectionError('Connection error', { broker: 'kafka-1:9092', ...(code !== undefined && { code }) });
}

const table: readonly (readonly [error: Error, code: DeliveryErrorCode, scope: FailureScope])[] = [
  [protocolError('MESSAGE_TOO_LARGE'), 'message_too_large', 'message'],
  [protocolError('RECORD_LIST_TOO_LARGE'), 'message_too_large', 'message'],
  [protocolError('INVALID_RECORD'), 'broker_rejected', 'message'],
  [protocolError('INVALID_TIMESTAMP'), 'broker_rejected', 'message'],
  [protocolError('CORRUPT_MESSAGE', true), 'broker_rejected', 'message'],
  [protocolError('UNKNOWN_TOPIC_OR_PARTITION', true), 'topic_unknown', 'layout'],
  [protocolError('LEADER_NOT_AVAILABLE', true), 'broker_unavailable', 'layout'],
  [protocolError('NOT_LEADER_FOR_PARTITION', true), 'broker_unavailable', 'layout'],
  [protocolError('KAFKA_STORAGE_ERROR', true), 'broker_unavailable', 'layout'],
  [protocolError('NOT_ENOUGH_REPLICAS', true), 'broker_unavailable', 'topic'],
  [protocolError('NOT_ENOUGH_REPLICAS_AFTER_APPEND', true), 'broker_unavailable', 'topic'],
  [protocolError('GROUP_COORDINATOR_NOT_AVAILABLE', true), 'broker_unavailable', 'topic'],
  [protocolError('REQUEST_TIMED_OUT', true), 'broker_timed_out', 'topic'],
  [protocolError('INVALID_TOPIC_EXCEPTION'), 'topic_invalid', 'topic'],
  [protocolError('TOPIC_AUTHORIZATION_FAILED'), 'authorization_denied', 'topic'],
  [protocolError('CLUSTER_AUTHORIZATION_FAILED'), 'cluster_authorization_denied', 'topic'],
  [protocolError('SASL_AUTHENTICATION_FAILED'), 'broker_authentication_failed', 'connection'],
  [protocolError('ILLEGAL_SASL_STATE'), 'broker_login_unsupported', 'connection'],
  [protocolError('POLICY_VIOLATION'), 'broker_rejected', 'topic'],
  [protocolError('KAFKAJS_UNKNOWN_ERROR_CODE'), 'broker_rejected', 'topic'],
  // `retriable` decides nothing.
  [protocolError('MESSAGE_TOO_LARGE', true), 'message_too_large', 'message'],
  [protocolError('POLICY_VIOLATION', true), 'broker_rejected', 'topic'],

  [connectionError('ECONNREFUSED'), 'broker_unreachable', 'connection'],
  [connectionError('ENOTFOUND'), 'broker_unreachable', 'connection'],
  [connectionError('ECONNRESET'), 'broker_unreachable', 'connection'],
  [connectionError(), 'broker_unreachable', 'connection'],
  [connectionError('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls_untrusted', 'connection'],
  [connectionError('CERT_HAS_EXPIRED'), 'tls_expired', 'connection'],
  [connectionError('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'tls_client_refused', 'connection'],
  [connectionError('ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE'), 'tls_client_refused', 'connection'],
  [connectionError('ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR'), 'tls_client_refused', 'connection'],
  [connectionError('ERR_SSL_TLSV1_UNRECOGNIZED_NAME'), 'tls_wrong_name', 'connection'],
  [connectionError('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'), 'tls_failed', 'connection'],
  [connectionError('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'), 'tls_failed', 'connection'],
  [connectionError('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'), 'tls_failed', 'connection'],
  [new TlsNotSpoken(), 'tls_not_spoken', 'connection'],
  [new TlsExpected(), 'tls_required', 'connection'],
  [new ClosedAtFirstRequest({}), 'broker_unreachable', 'connection'],
  [connectionError('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls_wrong_name', 'connection'],
  [connectionError('ERR_SSL_WRONG_VERSION_NUMBER'), 'tls_not_spoken', 'connection'],

  [new kafkajs.KafkaJSRequestTimeoutError('Request Produce timed out'), 'broker_timed_out', 'connection'],
  [new NoAnswerInTime('send', 10_000), 'broker_timed_out', 'connection'],
  [new NotSentInTime(10_000), 'broker_timed_out', 'connection'],
  [new PartitionGone('orders', 5), 'broker_unavailable', 'layout'],
  [new kafkajs.KafkaJSTopicMetadataNotLoaded('Topic metadata not loaded'), 'broker_unavailable', 'layout'],
  [new PartitionWithoutLeader('orders', 1), 'broker_unavailable', 'topic'],
  [new BrokerThrottled(5_000), 'broker_throttled', 'topic'],
  [new NoKafkaBroker('an answer is too long'), 'broker_unreachable', 'connection'],
  [new ServerNotProven(), 'broker_unreachable', 'connection'],
  [new LoginRefused('unknown-user'), 'broker_authentication_failed', 'connection'],
  [new NoCommonVersion('Produce'), 'broker_rejected', 'connection'],
  // kafkajs has read behind the end of an answer.
  [Object.assign(new RangeError('out of range'), { code: 'ERR_OUT_OF_RANGE' }), 'broker_unreachable', 'connection'],
  [new TypeError('a bug'), 'unknown', 'connection'],
  [new kafkajs.KafkaJSError('something new'), 'unknown', 'connection'],
  // The words are those of another error: they decide nothing.
  [new Error('KafkaJSConnectionError: connect ECONNREFUSED, MESSAGE_TOO_LARGE'), 'unknown', 'connection'],
];

describe('classifyKafkaError', () => {
  for (const [error, code, scope] of table) {
    const label = 'type' in error ? String(error.type) : `${error.name} ${'code' in error ? String(error.code) : ''}`;
    it(`takes ${label.trim()} (${error.message}) for ${code}, of scope ${scope}`, () => {
      expect(classifyKafkaError(error)).to.include({ code, scope });
    });
  }

  it('looks through the wrappers that kafkajs puts around an error', () => {
    const inner = protocolError('NOT_LEADER_FOR_PARTITION', true);
    const wrapped = new kafkajs.KafkaJSNumberOfRetriesExceeded(inner, { retryCount: 0, retryTime: 300 });
    const twice = Object.assign(new kafkajs.KafkaJSNonRetriableError(wrapped), { cause: wrapped });
    expect(classifyKafkaError(twice)).to.include({ code: 'broker_unavailable', scope: 'layout' });
  });

  it('blames the partition alone that has no leader: a broker of its cluster has said so', () => {
    expect(classifyKafkaError(new PartitionWithoutLeader('orders', 1)).culprit).to.equal('endpoint');
  });

  it('blames the partition alone whose leader fails while others answer, by the code of what the leader does, and says whether it was sent', () => {
    const failure = classifyKafkaError(connectionError('ECONNREFUSED'));
    const unsent = classifyKafkaError(new LeaderDown('orders', 1, failure, true));
    expect(unsent).to.include({ code: 'broker_unreachable', scope: 'leader', culprit: 'endpoint', isUnsent: true });
    expect(unsent.detail).to.include('not sent').and.to.include('ECONNREFUSED');
    const sent = classifyKafkaError(new LeaderDown('orders', 1, classifyKafkaError(new NoAnswerInTime('send', 10_000)), false));
    expect(sent).to.include({ code: 'broker_timed_out', scope: 'leader', culprit: 'endpoint' }).and.to.not.have.property('isUnsent');
    expect(sent.detail).to.include('send: no answer within 10000 ms').and.to.not.include('not sent');
  });

  it('hands on for how long a broker asks to wait', () => {
    expect(classifyKafkaError(new BrokerThrottled(5_000)).retryAfterMs).to.equal(5_000);
  });

  it('names the protocol type or errno in the detail', () => {
    expect(classifyKafkaError(protocolError('POLICY_VIOLATION')).detail).to.equal('POLICY_VIOLATION: text about POLICY_VIOLATION');
    expect(classifyKafkaError(connectionError('ECONNREFUSED')).detail).to.equal('ECONNREFUSED: Connection error');
  });

  it('gives the whole chain of causes of an error it does not know', () => {
    const error = new Error('outer', { cause: new TypeError('middle', { cause: 'the root' }) });
    expect(classifyKafkaError(error)).to.deep.equal({
      code: 'unknown',
      scope: 'connection',
      culprit: 'host',
      detail: 'Error: outer <- TypeError: middle <- the root',
    });
  });

  it('keeps characters out of the detail that would forge a line of a log', () => {
    const { detail } = classifyKafkaError(new kafkajs.KafkaJSConnectionError('getaddrinfo ENOTFOUND evil\nhost\u0000\u202e\u2028'));
    expect(detail).to.equal('KafkaJSConnectionError: getaddrinfo ENOTFOUND evil host   ');
  });

  it('has a detail of 1 to 500 characters for whatever is thrown', () => {
    const circular = new Error('circular');
    circular.cause = circular;
    for (const thrown of [undefined, null, '', 0, {}, new Error(''), new Error('x'.repeat(2_000)), circular]) {
      const { code, detail } = classifyKafkaError(thrown);
      expect(code).to.equal('unknown');
      expect(detail.length, detail).to.be.within(1, 500);
    }
  });
});
