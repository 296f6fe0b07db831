import type { DeliveryErrorCode } from '../domain/errors.js';

/**
 * What a failure says beyond the one batch it happened to.
 * `message`     one message may have spoiled its whole batch: each deserves a send of its own.
 * `layout`      what we know of the topic is out of date: ask again, then send again. As a rule nothing was stored; a
 *               broker that stops being the leader in mid write may have stored it, and then the message is there twice.
 * `connection`  the connection is of no more use: leave it, and start the next batch on a new one.
 * `leader`      the broker that leads the partition is of no more use for now, and the connection serves the other partitions.
 * `topic`       the broker's verdict; the connection is fine.
 */
export type FailureScope = 'message' | 'layout' | 'connection' | 'leader' | 'topic';

/**
 * The part that is to blame: the cluster as a whole or the way to it, one topic or partition of a cluster that is well
 * otherwise, or the task alone. Only the first says something about the other tasks of that cluster.
 */
export type Culprit = 'host' | 'endpoint' | 'task';

export interface Verdict {
  readonly code: DeliveryErrorCode;
  readonly scope: FailureScope;
  readonly culprit: Culprit;
}

export const verdict = (code: DeliveryErrorCode, scope: FailureScope, culprit: Culprit): Verdict => ({ code, scope, culprit });

export const partitionMoves = verdict('broker_unavailable', 'layout', 'endpoint');
/** A broker answers for one partition, or for one topic: so its cluster can be reached. */
export const brokerRefusesForNow = verdict('broker_unavailable', 'topic', 'endpoint');
export const credentialsRefused = verdict('broker_authentication_failed', 'connection', 'host');
export const loginUnsupported = verdict('broker_login_unsupported', 'connection', 'host');
const clusterRefused = verdict('cluster_authorization_denied', 'topic', 'host');
const tooLarge = verdict('message_too_large', 'message', 'task');
const recordRefused = verdict('broker_rejected', 'message', 'task');
export const topicRefused = verdict('broker_rejected', 'topic', 'endpoint');

/** Errors about groups, offsets, transactions, tokens and the like. A producer like ours never asks for such things. */
const notForProducers = [
  'OFFSET_OUT_OF_RANGE', 'INVALID_FETCH_SIZE', 'OFFSET_METADATA_TOO_LARGE', 'ILLEGAL_GENERATION', 'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID', 'UNKNOWN_MEMBER_ID', 'INVALID_SESSION_TIMEOUT', 'REBALANCE_IN_PROGRESS', 'INVALID_COMMIT_OFFSET_SIZE',
  'GROUP_AUTHORIZATION_FAILED', 'TOPIC_ALREADY_EXISTS', 'INVALID_REPLICATION_FACTOR', 'INVALID_REPLICA_ASSIGNMENT',
  'OUT_OF_ORDER_SEQUENCE_NUMBER', 'DUPLICATE_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH', 'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING', 'INVALID_TRANSACTION_TIMEOUT', 'CONCURRENT_TRANSACTIONS', 'TRANSACTION_COORDINATOR_FENCED',
  'UNKNOWN_PRODUCER_ID', 'REASSIGNMENT_IN_PROGRESS', 'DELEGATION_TOKEN_AUTH_DISABLED',
  'DELEGATION_TOKEN_NOT_FOUND', 'DELEGATION_TOKEN_OWNER_MISMATCH', 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED',
  'DELEGATION_TOKEN_AUTHORIZATION_FAILED', 'DELEGATION_TOKEN_EXPIRED', 'INVALID_PRINCIPAL_TYPE', 'NON_EMPTY_GROUP', 'GROUP_ID_NOT_FOUND',
  'FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH', 'TOPIC_DELETION_DISABLED', 'OFFSET_NOT_AVAILABLE', 'MEMBER_ID_REQUIRED',
  'GROUP_MAX_SIZE_REACHED', 'FENCED_INSTANCE_ID', 'ELECTION_NOT_NEEDED', 'NO_REASSIGNMENT_IN_PROGRESS', 'GROUP_SUBSCRIBED_TO_TOPIC',
  'UNSTABLE_OFFSET_COMMIT', 'PRODUCER_FENCED', 'RESOURCE_NOT_FOUND', 'DUPLICATE_RESOURCE', 'INCONSISTENT_VOTER_SET',
  'INVALID_UPDATE_VERSION', 'FEATURE_UPDATE_FAILED', 'SNAPSHOT_NOT_FOUND', 'POSITION_OUT_OF_RANGE', 'DUPLICATE_BROKER_REGISTRATION',
  'INCONSISTENT_CLUSTER_ID', 'TRANSACTIONAL_ID_NOT_FOUND', 'FETCH_SESSION_TOPIC_ID_ERROR', 'OFFSET_MOVED_TO_TIERED_STORAGE',
  'FENCED_MEMBER_EPOCH', 'UNRELEASED_INSTANCE_ID', 'UNSUPPORTED_ASSIGNOR', 'STALE_MEMBER_EPOCH', 'MISMATCHED_ENDPOINT_TYPE',
  'UNSUPPORTED_ENDPOINT_TYPE', 'UNKNOWN_CONTROLLER_ID', 'UNKNOWN_SUBSCRIPTION_ID', 'TELEMETRY_TOO_LARGE', 'INVALID_REGISTRATION',
  'TRANSACTION_ABORTABLE', 'INVALID_RECORD_STATE', 'SHARE_SESSION_NOT_FOUND', 'INVALID_SHARE_SESSION_EPOCH', 'FENCED_STATE_EPOCH',
  'INVALID_VOTER_KEY', 'DUPLICATE_VOTER', 'VOTER_NOT_FOUND', 'INVALID_REGULAR_EXPRESSION', 'STREAMS_INVALID_TOPOLOGY',
  'STREAMS_INVALID_TOPOLOGY_EPOCH', 'STREAMS_TOPOLOGY_FENCED', 'SHARE_SESSION_LIMIT_REACHED',
];

/**
 * By the type that kafkajs gives to a code of the Kafka protocol, those of kafkajs-error-codes.ts included: every error up to
 * Kafka 4.1. Not by `retriable`: that is kafkajs's own idea of what it would try again, and true for whatever it has no
 * idea of.
 */
export const protocolVerdicts: Readonly<Record<string, Verdict>> = {
  MESSAGE_TOO_LARGE: tooLarge,
  RECORD_LIST_TOO_LARGE: tooLarge,
  INVALID_RECORD: recordRefused,
  INVALID_TIMESTAMP: recordRefused,
  CORRUPT_MESSAGE: recordRefused,

  UNKNOWN_TOPIC_OR_PARTITION: verdict('topic_unknown', 'layout', 'endpoint'),
  UNKNOWN_TOPIC_ID: verdict('topic_unknown', 'layout', 'endpoint'),
  INCONSISTENT_TOPIC_ID: verdict('topic_unknown', 'layout', 'endpoint'),
  INVALID_TOPIC_EXCEPTION: verdict('topic_invalid', 'topic', 'task'),
  TOPIC_AUTHORIZATION_FAILED: verdict('authorization_denied', 'topic', 'endpoint'),
  CLUSTER_AUTHORIZATION_FAILED: clusterRefused,
  // Nothing is sent in transactions. It is a right of the login all the same, and not of the topic.
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: clusterRefused,

  LEADER_NOT_AVAILABLE: partitionMoves,
  NOT_LEADER_FOR_PARTITION: partitionMoves,
  REPLICA_NOT_AVAILABLE: partitionMoves,
  KAFKA_STORAGE_ERROR: partitionMoves,
  LOG_DIR_NOT_FOUND: partitionMoves,
  FENCED_LEADER_EPOCH: partitionMoves,
  UNKNOWN_LEADER_EPOCH: partitionMoves,
  NEW_LEADER_ELECTED: partitionMoves,
  INELIGIBLE_REPLICA: partitionMoves,
  LISTENER_NOT_FOUND: partitionMoves,
  PREFERRED_LEADER_NOT_AVAILABLE: partitionMoves,
  ELIGIBLE_LEADERS_NOT_AVAILABLE: partitionMoves,

  // Not `layout`: the leader may have stored the message already, and asking for the leader again tells nothing new.
  NOT_ENOUGH_REPLICAS: brokerRefusesForNow,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: brokerRefusesForNow,
  BROKER_NOT_AVAILABLE: brokerRefusesForNow,
  NETWORK_EXCEPTION: brokerRefusesForNow,
  GROUP_LOAD_IN_PROGRESS: brokerRefusesForNow,
  GROUP_COORDINATOR_NOT_AVAILABLE: brokerRefusesForNow,
  NOT_COORDINATOR_FOR_GROUP: brokerRefusesForNow,
  NOT_CONTROLLER: brokerRefusesForNow,
  STALE_CONTROLLER_EPOCH: brokerRefusesForNow,
  STALE_BROKER_EPOCH: brokerRefusesForNow,
  BROKER_ID_NOT_REGISTERED: brokerRefusesForNow,
  THROTTLING_QUOTA_EXCEEDED: brokerRefusesForNow,
  // The leader has waited for its followers.
  REQUEST_TIMED_OUT: verdict('broker_timed_out', 'topic', 'endpoint'),
  REBOOTSTRAP_REQUIRED: verdict('broker_unavailable', 'connection', 'host'),

  SASL_AUTHENTICATION_FAILED: credentialsRefused,
  UNSUPPORTED_SASL_MECHANISM: loginUnsupported,
  // What a broker without SASL answers to our handshake.
  ILLEGAL_SASL_STATE: loginUnsupported,
  UNACCEPTABLE_CREDENTIAL: credentialsRefused,
  PRINCIPAL_DESERIALIZATION_FAILURE: credentialsRefused,
  SECURITY_DISABLED: credentialsRefused,

  // It stands for any fault inside the broker.
  UNKNOWN: topicRefused,
  INVALID_REQUIRED_ACKS: topicRefused,
  INVALID_REQUEST: topicRefused,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: topicRefused,
  UNSUPPORTED_COMPRESSION_TYPE: topicRefused,
  POLICY_VIOLATION: topicRefused,
  OPERATION_NOT_ATTEMPTED: topicRefused,
  INVALID_PARTITIONS: topicRefused,
  INVALID_CONFIG: topicRefused,
  UNSUPPORTED_VERSION: verdict('broker_rejected', 'connection', 'host'),

  ...Object.fromEntries(notForProducers.map((type) => [type, topicRefused])),
};
