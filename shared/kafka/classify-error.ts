import kafkajs from 'kafkajs';

import { AddressForbidden } from '../addresses/address-guard.js';
import type { DeliveryErrorCode } from '../domain/errors.js';
import { readableTlsText, TlsExpected, tlsFaultOf, TlsNotSpoken, type TlsFault } from '../tls/tls-fault.js';
import { ClosedAtFirstRequest, LoginRefused, NoCommonVersion, NoKafkaBroker, ServerNotProven } from './no-kafka-broker.js';
import { brokerRefusesForNow, credentialsRefused, loginUnsupported, partitionMoves, protocolVerdicts, topicRefused, verdict, type Culprit, type FailureScope, type Verdict } from './protocol-verdicts.js';

export interface KafkaFailure {
  readonly code: DeliveryErrorCode;
  readonly scope: FailureScope;
  readonly culprit: Culprit;
  /** For people, 1..500 characters: protocol type or class, and the messages along the chain of causes. */
  readonly detail: string;
  /** The messages were not written to any socket. */
  readonly isUnsent?: true;
  /** Nothing can be sent to any partition of the topic now. */
  readonly isOfWholeTopic?: true;
  /** Nothing was sent, because the broker asks to wait for so long, in whole milliseconds. */
  readonly retryAfterMs?: number;
}

/** The broker, or the way to it, did not answer within a limit of ours. */
export class NoAnswerInTime extends Error {
  constructor(what: string, limitMs: number) {
    super(`${what}: no answer within ${limitMs} ms`);
    this.name = 'NoAnswerInTime';
  }
}

/** Within the limit of a send kafkajs has found no way to write the batch: the broker that leads its partition takes no connections. */
export class NotSentInTime extends Error {
  constructor(limitMs: number) {
    super(`not sent: the broker was not ready for it within ${limitMs} ms`);
    this.name = 'NotSentInTime';
  }
}

/** The topic has lost the partition that a message was meant for: it was made anew with fewer. */
export class PartitionGone extends Error {
  constructor(topic: string, partition: number) {
    super(`topic ${topic} no longer has partition ${partition}`);
    this.name = 'PartitionGone';
  }
}

/** No broker leads the partition that the key of a message belongs to. A broker has said so: its cluster can be reached. */
export class PartitionWithoutLeader extends Error {
  constructor(topic: string, partition: number) {
    super(`partition ${partition} of topic ${topic} has no leader now`);
    this.name = 'PartitionWithoutLeader';
  }
}

/** The broker that leads a partition fails, while another one of its cluster answers. Only what is meant for that leader is stopped. */
export class LeaderDown extends Error {
  /** @param failure what it does, as a failure of the whole cluster; @param isUnsent nothing was written to it */
  constructor(topic: string, partition: number, readonly failure: KafkaFailure, readonly isUnsent: boolean) {
    super(`${isUnsent ? 'not sent: ' : ''}the broker that leads partition ${partition} of topic ${topic} fails, and others of its cluster answer: ${failure.detail}`);
    this.name = 'LeaderDown';
  }
}

/** The broker's quota is used up, and it asks us to send nothing for a while (KIP-219). The message was not sent. */
export class BrokerThrottled extends Error {
  constructor(readonly retryAfterMs: number) {
    super(`the broker asks to send nothing for ${retryAfterMs} ms: the quota of this client is used up`);
    this.name = 'BrokerThrottled';
  }
}

const codeOfTlsFault = {
  untrusted: 'tls_untrusted',
  expired: 'tls_expired',
  wrong_name: 'tls_wrong_name',
  client_refused: 'tls_client_refused',
  no_common: 'tls_failed',
  not_spoken: 'tls_not_spoken',
  other: 'tls_failed',
} as const satisfies Record<TlsFault, DeliveryErrorCode>;

/** The one place that gives a failure of Kafka its code: by class, protocol type and errno, never by message text. */
export function classifyKafkaError(error: unknown): KafkaFailure {
  const chain = causeChain(error);
  // The outermost that says something: kafkajs wraps the real one in KafkaJSNumberOfRetriesExceeded (also with
  // retries 0) or in a bare KafkaJSNonRetriableError.
  for (const [index, link] of chain.entries()) {
    const found = verdictOn(link);
    if (found === undefined) continue;
    const detail = describe(chain.slice(index));
    return {
      ...found,
      detail,
      ...(link instanceof BrokerThrottled && { retryAfterMs: link.retryAfterMs }),
      ...(isKnownUnsent(link) && { isUnsent: true as const }),
    };
  }
  return { code: 'unknown', scope: 'connection', culprit: 'host', detail: describe(chain) };
}

function isKnownUnsent(error: unknown): boolean {
  return error instanceof LeaderDown ? error.isUnsent : error instanceof NotSentInTime || error instanceof BrokerThrottled;
}

function verdictOn(error: unknown): Verdict | undefined {
  if (error instanceof kafkajs.KafkaJSProtocolError) {
    // A number that is newer than Kafka 4.1.
    return protocolVerdicts[error.type] ?? topicRefused;
  }
  if (error instanceof AddressForbidden) return verdict('address_forbidden', 'connection', 'task');
  if (error instanceof NoKafkaBroker || error instanceof ServerNotProven || error instanceof ClosedAtFirstRequest) return unreachable;
  if (error instanceof NoCommonVersion || error instanceof kafkajs.KafkaJSServerDoesNotSupportApiKey) return verdict('broker_rejected', 'connection', 'host');
  if (error instanceof BrokerThrottled) return verdict('broker_throttled', 'topic', 'host');
  if (error instanceof LoginRefused) return credentialsRefused;
  // kafkajs itself says so only of a mechanism that the broker does not offer: see sasl-login.ts.
  if (error instanceof kafkajs.KafkaJSSASLAuthenticationError) return loginUnsupported;
  if (error instanceof TlsNotSpoken) return verdict('tls_not_spoken', 'connection', 'host');
  if (error instanceof TlsExpected) return verdict('tls_required', 'connection', 'host');
  if (error instanceof kafkajs.KafkaJSConnectionError) {
    const fault = tlsFaultOf(codeOf(error));
    return fault === undefined ? unreachable : verdict(codeOfTlsFault[fault], 'connection', 'host');
  }
  if (
    error instanceof NoAnswerInTime ||
    error instanceof NotSentInTime ||
    error instanceof kafkajs.KafkaJSRequestTimeoutError ||
    error instanceof kafkajs.KafkaJSLockTimeout
  ) {
    return verdict('broker_timed_out', 'connection', 'host');
  }
  if (error instanceof LeaderDown) return verdict(error.failure.code, 'leader', 'endpoint');
  if (error instanceof PartitionWithoutLeader) return brokerRefusesForNow;
  // Without metadata kafkajs has been told of a topic that has no partition.
  if (error instanceof PartitionGone || error instanceof kafkajs.KafkaJSMetadataNotLoaded) return partitionMoves;
  if (error instanceof kafkajs.KafkaJSBrokerNotFound) return verdict('broker_unavailable', 'layout', 'host');
  // kafkajs has read behind the end of an answer.
  if (error instanceof RangeError && decoderFaults.has(codeOf(error) ?? '')) return unreachable;
  return undefined;
}

const unreachable = verdict('broker_unreachable', 'connection', 'host');

/** What Node's Buffer says to a decoder that reads what is not there. */
const decoderFaults: ReadonlySet<string> = new Set(['ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS']);

/** The broker has ended the connection in good order. kafkajs has a class for it, and does not export it. */
export function isClosedConnection(error: unknown): boolean {
  return causeChain(error).some((link) => link instanceof kafkajs.KafkaJSConnectionError && link.name === 'KafkaJSConnectionClosedError');
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
    const message = readableTlsText(link.message);
    return message === '' ? label : `${label}: ${message}`;
  });
  const text = texts.join(' <- ');
  // Names of hosts and refusals of a login are the broker's, with whatever it puts into them.
  return text === '' ? 'no reason given' : text.slice(0, maxDetailCharacters).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}
