import { requireKnownKafkajs } from './kafkajs-version.js';

/** Errors of the Kafka protocol that came after kafkajs, up to Kafka 4.1: the number of the first one, and the names in order. */
const FIRST_NEW_CODE = 89;
const newTypes = [
  'THROTTLING_QUOTA_EXCEEDED',
  'PRODUCER_FENCED',
  'RESOURCE_NOT_FOUND',
  'DUPLICATE_RESOURCE',
  'UNACCEPTABLE_CREDENTIAL',
  'INCONSISTENT_VOTER_SET',
  'INVALID_UPDATE_VERSION',
  'FEATURE_UPDATE_FAILED',
  'PRINCIPAL_DESERIALIZATION_FAILURE',
  'SNAPSHOT_NOT_FOUND',
  'POSITION_OUT_OF_RANGE',
  'UNKNOWN_TOPIC_ID',
  'DUPLICATE_BROKER_REGISTRATION',
  'BROKER_ID_NOT_REGISTERED',
  'INCONSISTENT_TOPIC_ID',
  'INCONSISTENT_CLUSTER_ID',
  'TRANSACTIONAL_ID_NOT_FOUND',
  'FETCH_SESSION_TOPIC_ID_ERROR',
  'INELIGIBLE_REPLICA',
  'NEW_LEADER_ELECTED',
  'OFFSET_MOVED_TO_TIERED_STORAGE',
  'FENCED_MEMBER_EPOCH',
  'UNRELEASED_INSTANCE_ID',
  'UNSUPPORTED_ASSIGNOR',
  'STALE_MEMBER_EPOCH',
  'MISMATCHED_ENDPOINT_TYPE',
  'UNSUPPORTED_ENDPOINT_TYPE',
  'UNKNOWN_CONTROLLER_ID',
  'UNKNOWN_SUBSCRIPTION_ID',
  'TELEMETRY_TOO_LARGE',
  'INVALID_REGISTRATION',
  'TRANSACTION_ABORTABLE',
  'INVALID_RECORD_STATE',
  'SHARE_SESSION_NOT_FOUND',
  'INVALID_SHARE_SESSION_EPOCH',
  'FENCED_STATE_EPOCH',
  'INVALID_VOTER_KEY',
  'DUPLICATE_VOTER',
  'VOTER_NOT_FOUND',
  'INVALID_REGULAR_EXPRESSION',
  'REBOOTSTRAP_REQUIRED',
  'STREAMS_INVALID_TOPOLOGY',
  'STREAMS_INVALID_TOPOLOGY_EPOCH',
  'STREAMS_TOPOLOGY_FENCED',
  'SHARE_SESSION_LIMIT_REACHED',
] as const;

interface KafkajsErrorCode {
  readonly type: string;
  readonly code: number;
  readonly retriable: boolean;
  readonly message: string;
}

/**
 * Teaches kafkajs the errors that are newer than it. It makes one error of all that it does not know, and of their number
 * only a text is left.
 *
 * @returns whether it knows them. false: this kafkajs is another one than was patched, and is left alone
 */
export function nameKafkajsErrorCodes(): boolean {
  const require = requireKnownKafkajs();
  if (require === undefined) return false;

  const { errorCodes } = require('kafkajs/src/protocol/error') as { errorCodes?: KafkajsErrorCode[] };
  if (!Array.isArray(errorCodes)) return false;
  newTypes.forEach((type, index) => {
    const code = FIRST_NEW_CODE + index;
    if (errorCodes.some((known) => known.code === code)) return;
    errorCodes.push({ type, code, retriable: false, message: `error ${code} of the Kafka protocol` });
  });
  return true;
}
