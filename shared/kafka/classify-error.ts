import kafkajs from 'kafkajs';

import type { DeliveryErrorCode } from '../domain/errors.js';

/**
 * What a failure says beyond the one batch it happened to.
 * `message`     one message may have spoiled its whole batch: each deserves a send of its own.
 * `layout`      what we know of the topic is out of date: ask again, then send again. As a rule nothing was stored; a
 *               broker that stops being the leader in mid write may have stored it, and then the message is there twice.
 * `connection`  the connection is of no more use: leave it, and start the next batch on a new one.
 * `topic`       the broker's verdict; the connection is fine.
 */
export type FailureScope = 'message' | 'layout' | 'connection' | 'topic';

export interface KafkaFailure {
  readonly code: DeliveryErrorCode;
  readonly scope: FailureScope;
  /** For people, 1..500 characters: protocol type or class, and the messages along the chain of causes. */
  readonly detail: string;
}

/** The broker, or the way to it, did not answer within a limit of ours. */
export class NoAnswerInTime extends Error {
  constructor(what: string, limitMs: number) {
    super(`${what}: no answer within ${limitMs} ms`);
    this.name = 'NoAnswerInTime';
  }
}

/** The topic has lost the partition that a message was meant for: it was made anew with fewer. */
export class PartitionGone extends Error {
  constructor(topic: string, partition: number) {
    super(`topic ${topic} no longer has partition ${partition}`);
    this.name = 'PartitionGone';
  }
}

type Verdict = Pick<KafkaFailure, 'code' | 'scope'>;
const verdict = (code: DeliveryErrorCode, scope: FailureScope): Verdict => ({ code, scope });

/**
 * By the type that kafkajs gives to a code of the Kafka protocol; a type that is not here is `broker_rejected`.
 * Not by `retriable`: that is kafkajs's own idea of what it would try again, and true for whatever it has no idea of.
 */
const protocolVerdicts: Readonly<Record<string, Verdict>> = {
  MESSAGE_TOO_LARGE: verdict('message_too_large', 'message'),
  RECORD_LIST_TOO_LARGE: verdict('message_too_large', 'message'),
  INVALID_RECORD: verdict('broker_rejected', 'message'),
  INVALID_TIMESTAMP: verdict('broker_rejected', 'message'),
  CORRUPT_MESSAGE: verdict('broker_rejected', 'message'),

  UNKNOWN_TOPIC_OR_PARTITION: verdict('topic_unknown', 'layout'),
  LEADER_NOT_AVAILABLE: verdict('broker_unavailable', 'layout'),
  NOT_LEADER_FOR_PARTITION: verdict('broker_unavailable', 'layout'),
  REPLICA_NOT_AVAILABLE: verdict('broker_unavailable', 'layout'),
  KAFKA_STORAGE_ERROR: verdict('broker_unavailable', 'layout'),
  FENCED_LEADER_EPOCH: verdict('broker_unavailable', 'layout'),
  UNKNOWN_LEADER_EPOCH: verdict('broker_unavailable', 'layout'),
  LISTENER_NOT_FOUND: verdict('broker_unavailable', 'layout'),

  // Not `layout`: the leader may have stored the message already, and asking for the leader again tells nothing new.
  NOT_ENOUGH_REPLICAS: verdict('broker_unavailable', 'topic'),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: verdict('broker_unavailable', 'topic'),
  BROKER_NOT_AVAILABLE: verdict('broker_unavailable', 'topic'),
  NETWORK_EXCEPTION: verdict('broker_unavailable', 'topic'),
  GROUP_LOAD_IN_PROGRESS: verdict('broker_unavailable', 'topic'),
  GROUP_COORDINATOR_NOT_AVAILABLE: verdict('broker_unavailable', 'topic'),
  NOT_COORDINATOR_FOR_GROUP: verdict('broker_unavailable', 'topic'),
  REQUEST_TIMED_OUT: verdict('broker_timed_out', 'topic'),

  INVALID_TOPIC_EXCEPTION: verdict('topic_invalid', 'topic'),
  TOPIC_AUTHORIZATION_FAILED: verdict('authorization_denied', 'topic'),
  CLUSTER_AUTHORIZATION_FAILED: verdict('authorization_denied', 'topic'),

  SASL_AUTHENTICATION_FAILED: verdict('broker_authentication_failed', 'connection'),
  UNSUPPORTED_SASL_MECHANISM: verdict('broker_authentication_failed', 'connection'),
  // What a broker without SASL answers to our handshake.
  ILLEGAL_SASL_STATE: verdict('broker_authentication_failed', 'connection'),
};

/** Certificate faults of OpenSSL; those that Node finds itself are ERR_TLS_* and ERR_SSL_*. */
const tlsFaults: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'EPROTO',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The one place that gives a failure of Kafka its code: by class, protocol type and errno, never by message text. */
export function classifyKafkaError(error: unknown): KafkaFailure {
  const chain = causeChain(error);
  // The outermost that says something: kafkajs wraps the real one in KafkaJSNumberOfRetriesExceeded (also with
  // retries 0) or in a bare KafkaJSNonRetriableError.
  for (const [index, link] of chain.entries()) {
    const found = verdictOn(link);
    if (found !== undefined) return { ...found, detail: describe(chain.slice(index)) };
  }
  return { code: 'unknown', scope: 'connection', detail: describe(chain) };
}

function verdictOn(error: unknown): Verdict | undefined {
  if (error instanceof kafkajs.KafkaJSProtocolError) {
    return protocolVerdicts[error.type] ?? verdict('broker_rejected', 'topic');
  }
  if (error instanceof kafkajs.KafkaJSSASLAuthenticationError) return verdict('broker_authentication_failed', 'connection');
  if (error instanceof kafkajs.KafkaJSConnectionError) {
    return verdict(isTlsFault(codeOf(error)) ? 'tls_failed' : 'broker_unreachable', 'connection');
  }
  if (
    error instanceof NoAnswerInTime ||
    error instanceof kafkajs.KafkaJSRequestTimeoutError ||
    error instanceof kafkajs.KafkaJSLockTimeout
  ) {
    return verdict('broker_timed_out', 'connection');
  }
  if (
    error instanceof PartitionGone ||
    error instanceof kafkajs.KafkaJSBrokerNotFound ||
    error instanceof kafkajs.KafkaJSMetadataNotLoaded
  ) {
    return verdict('broker_unavailable', 'layout');
  }
  if (error instanceof kafkajs.KafkaJSServerDoesNotSupportApiKey) return verdict('broker_rejected', 'connection');
  return undefined;
}

function isTlsFault(code: string | undefined): boolean {
  return code !== undefined && (tlsFaults.has(code) || code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_'));
}

/** An errno such as ECONNREFUSED; kafkajs sets it and its types leave it out. */
function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Deep enough for any real chain, and an end for a chain that is a circle. */
const maxChainLength = 8;

function causeChain(error: unknown): unknown[] {
  const chain: unknown[] = [];
  let link: unknown = error;
  while (link !== undefined && link !== null && chain.length < maxChainLength) {
    chain.push(link);
    link = link instanceof Error ? link.cause : undefined;
  }
  return chain;
}

const maxDetailCharacters = 500;

function describe(chain: readonly unknown[]): string {
  const texts = chain.map((link) => {
    if (!(link instanceof Error)) return String(link);
    const label = link instanceof kafkajs.KafkaJSProtocolError ? link.type : (codeOf(link) ?? link.name);
    return link.message === '' ? label : `${label}: ${link.message}`;
  });
  const text = texts.join(' <- ');
  return text === '' ? 'no reason given' : text.slice(0, maxDetailCharacters);
}
