import type { VariableName } from './schema.js';

/** One limit on what callers may send, or on what is taken of receivers. */
export interface Limit {
  /** What is bounded. */
  readonly what: string;
  /** Its value, as people write it; of a setting, its default. */
  readonly value: string;
  /**
   * What sets it. A variable, several of them, or a member of an access key. `fixed`: it is a part of the contract, or nobody gains by another
   * value, since it bounds a single request that is refused as such.
   */
  readonly setting: readonly VariableName[] | 'key' | 'fixed';
  /** What happens beyond it. */
  readonly beyond: string;
  /** The test that goes up to it, and one beyond. */
  readonly test: string;
}

const LIMITS_TEST = 'test/integration/server/http/limits.test.ts';

/** docs/LIMITS.md is generated from this table. A refusal names the setting in the log (`limit`), and not to the caller. */
export const limits: readonly Limit[] = [
  // ---------------------------------------------------------------- callers: how often, how many
  { what: 'tasks and other calls of one key in a second', value: 'any number', setting: 'key', beyond: '429 `rate_limited`', test: 'test/integration/server/access/rate-limit.test.ts' },
  { what: 'tasks of one client that wait, are due, are sent or are parked', value: 'any number', setting: 'key', beyond: '429 `quota_exceeded`', test: 'test/integration/server/access/quota.test.ts' },
  { what: 'test sends of one key in a minute', value: '10', setting: 'fixed', beyond: '429 `rate_limited`', test: 'test/integration/server/test-sends/test-sends.test.ts' },
  { what: 'sessions of one key', value: '100', setting: 'fixed', beyond: 'the one that was used longest ago ends', test: 'test/integration/server/access/sessions.test.ts' },
  { what: 'access keys', value: '10,000', setting: 'fixed', beyond: '400 `invalid_request`', test: 'test/integration/server/access/routes.test.ts' },
  { what: 'clients with a quota', value: '10,000', setting: 'fixed', beyond: '400 `invalid_request`', test: 'test/integration/server/access/quota.test.ts' },
  { what: 'destinations with credentials', value: '10,000', setting: 'fixed', beyond: '400 `invalid_request`', test: 'test/integration/server/credentials/credentials.test.ts' },
  { what: 'wrong keys of one address in a second', value: '10, and 20 at once', setting: ['WRONG_KEYS_PER_SECOND'], beyond: 'the answer waits for up to 2 s, then 429 `rate_limited`', test: 'test/unit/shared/domain/access/guess-pace.test.ts' },
  { what: 'connections', value: '10,000', setting: ['HTTP_MAX_CONNECTIONS'], beyond: 'those without a request are closed, and logged', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'names under which the API answers', value: '`localhost` and addresses', setting: ['ALLOWED_HOSTS'], beyond: '421 `unknown_host`', test: 'test/integration/server/http/origin-check.test.ts' },
  { what: 'tasks in Redis', value: '85 % of its memory', setting: ['REDIS_HIGH_WATER'], beyond: '503 `redis_full`', test: 'test/chaos/redis-full.test.ts' },
  // ---------------------------------------------------------------- callers: how large
  { what: '`message_data`', value: '1 MiB', setting: ['MAX_MESSAGE_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'body of a task, alone or in a batch', value: 'six times `message_data`, and 64 KiB', setting: ['MAX_MESSAGE_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'tasks of a batch', value: '10,000', setting: ['MAX_BATCH_TASKS'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'body of a batch', value: '32 MiB', setting: ['MAX_BATCH_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'headers of a request', value: '16 KiB', setting: ['HTTP_MAX_HEADER_BYTES'], beyond: '431 `headers_too_large`', test: LIMITS_TEST },
  { what: 'header lines of a request', value: '200', setting: ['HTTP_MAX_HEADER_LINES'], beyond: '431 `headers_too_large`', test: LIMITS_TEST },
  { what: 'large bodies in memory at once', value: '256 MiB', setting: ['HTTP_MAX_BODY_MEMORY'], beyond: '503 `overloaded`; bodies of 64 KiB and less are always taken', test: 'test/unit/server/http/body-budget.test.ts' },
  { what: 'large answers that are made or not yet read', value: '64 MiB', setting: ['HTTP_MAX_ANSWER_MEMORY'], beyond: 'it waits for up to 4 s, then 503 `overloaded`', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'depth of JSON, and structural characters in it', value: '64, and 10,000', setting: 'fixed', beyond: '400', test: 'test/integration/server/tasks/json-parsing.test.ts' },
  { what: 'body of any other change', value: '64 KiB; of a bulk action 16 MiB', setting: 'fixed', beyond: '413 `too_large`', test: 'test/integration/server/http/asked-change.test.ts' },
  { what: 'fields of a task', value: '[TASK-FIELDS.md](TASK-FIELDS.md)', setting: 'fixed', beyond: '400 `invalid_task`', test: 'test/unit/server/tasks/schema.test.ts' },
  { what: 'conditions of a search', value: '20, with 16,384 characters in all', setting: 'fixed', beyond: '400 `invalid_query`', test: 'test/unit/shared/domain/search/filter.test.ts' },
  { what: 'entries of a list', value: '1,000', setting: 'fixed', beyond: '400', test: 'test/integration/server/search/routes.test.ts' },
  // ---------------------------------------------------------------- callers: how long
  { what: 'time for the headers of a request', value: '70 s', setting: ['HTTP_HEADERS_TIMEOUT'], beyond: '408 `request_timed_out`', test: LIMITS_TEST },
  { what: 'time for a whole request', value: '5 min', setting: ['HTTP_REQUEST_TIMEOUT'], beyond: '408 `request_timed_out`', test: LIMITS_TEST },
  { what: 'time of a connection without requests', value: '65 s', setting: ['HTTP_KEEP_ALIVE'], beyond: 'it is closed', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'time in which a client takes nothing of its answer', value: '20 to 40 s', setting: 'fixed', beyond: 'the connection is closed', test: 'test/unit/server/http/connections.test.ts' },
  // ---------------------------------------------------------------- receivers
  { what: 'addresses that tasks go to', value: 'by ENVIRONMENT', setting: ['DESTINATION_POLICY', 'DESTINATION_ALLOW', 'DESTINATION_DENY'], beyond: '400 `invalid_task`, or the task ends with `address_forbidden`', test: 'test/integration/server/tasks/destination-policy.test.ts' },
  { what: 'secrets that are stored: headers of HTTP destinations, and credentials', value: 'none in prod without keys to encrypt them', setting: ['SECRETS_KEYS'], beyond: '400 `secrets_not_configured`', test: 'test/integration/server/tasks/secret-headers.test.ts' },
  { what: 'time of an attempt', value: '30 s', setting: ['DELIVERY_TIMEOUT'], beyond: '`timed_out`', test: 'test/contract/adapter-suite.ts' },
  { what: 'what is read of an HTTP answer', value: '16 KiB of headers, 64 KiB of body', setting: 'fixed', beyond: 'the connection is closed; the status decides', test: 'test/contract/http/endless-answers.test.ts' },
  { what: 'what a Kafka broker may name', value: '500 brokers, 100 topics, 10,000 partitions', setting: 'fixed', beyond: '`broker_unreachable`', test: 'test/unit/shared/kafka/answer-check.test.ts' },
  { what: 'sends in flight of a worker', value: '`auto`', setting: ['WORKER_CONCURRENCY'], beyond: 'tasks wait', test: 'test/integration/workers/worker-slots.test.ts' },
];
