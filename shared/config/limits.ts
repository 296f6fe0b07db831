import type { VariableName } from './schema.js';

/** One limit on what callers may send, or on what is taken of receivers. */
export interface Limit {
  /** What is bounded. */
  readonly what: string;
  /** Its value, as people write it; of a setting, its default. */
  readonly value: string;
  /** What sets it: variables, a member of an access key, or nothing, with the reason why nobody gains by another value. */
  readonly setting: readonly VariableName[] | 'key' | { readonly fixed: string };
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
  { what: 'test sends of one key in a minute', value: '10', setting: ['TEST_SENDS_PER_MINUTE'], beyond: '429 `rate_limited`', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: 'test sends that wait for a worker', value: '100', setting: { fixed: 'workers hear of them five times a second, so more of them wait only where no worker has time' }, beyond: '503 `overloaded`', test: 'test/integration/workers/test-sends/test-send-runner.test.ts' },
  { what: 'sessions of one key', value: '100', setting: ['MAX_SESSIONS_PER_KEY'], beyond: 'the one that was used longest ago ends', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: 'access keys', value: '10,000', setting: ['MAX_ACCESS_KEYS'], beyond: '400 `invalid_request`', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: '`client_ids` of a key', value: '100', setting: { fixed: 'contract; a caller for more clients has more keys' }, beyond: '400 `invalid_request`', test: 'test/integration/server/access/routes.test.ts' },
  { what: 'clients with a quota', value: '10,000', setting: ['MAX_QUOTA_CLIENTS'], beyond: '400 `invalid_request`', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: 'destinations with credentials', value: '10,000', setting: ['MAX_CREDENTIALS'], beyond: '400 `invalid_request`', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: 'wrong keys of one address in a second', value: '10, and 20 at once', setting: ['WRONG_KEYS_PER_SECOND'], beyond: 'the answer waits for up to 2 s, then 429 `rate_limited`', test: 'test/unit/shared/domain/access/guess-pace.test.ts' },
  { what: 'connections', value: '10,000', setting: ['HTTP_MAX_CONNECTIONS'], beyond: 'those without a request are closed, and logged', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'requests that wait behind another one of their connection, over all connections', value: '10,000', setting: { fixed: 'each takes some 5 KB, and no client needs more than 16 on a connection' }, beyond: 'connections with more than 16 of them are closed', test: 'test/unit/server/http/connection-limits.test.ts' },
  { what: 'connections of the port of a worker', value: '50', setting: { fixed: 'a prober and a few scrapers need no more' }, beyond: 'they are closed', test: 'test/integration/workers/telemetry/worker-port.test.ts' },
  { what: 'names under which the API answers', value: '`localhost` and addresses', setting: ['ALLOWED_HOSTS'], beyond: '421 `unknown_host`', test: 'test/integration/server/http/origin-check.test.ts' },
  { what: 'tasks in Redis', value: '85 % of its memory', setting: ['REDIS_HIGH_WATER'], beyond: '503 `redis_full`', test: 'test/chaos/redis-full.test.ts' },
  // ---------------------------------------------------------------- callers: how large
  { what: '`message_data`', value: '1 MiB', setting: ['MAX_MESSAGE_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'body of a task, alone or in a batch', value: 'six times `message_data`, and 64 KiB', setting: ['MAX_MESSAGE_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'tasks of a batch', value: '10,000', setting: ['MAX_BATCH_TASKS'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'body of a batch', value: '32 MiB', setting: ['MAX_BATCH_BYTES'], beyond: '413 `too_large`', test: LIMITS_TEST },
  { what: 'headers of a request', value: '16 KiB', setting: ['HTTP_MAX_HEADER_BYTES'], beyond: '431 `headers_too_large`', test: LIMITS_TEST },
  { what: 'header lines of a request', value: '200', setting: ['HTTP_MAX_HEADER_LINES'], beyond: '431 `headers_too_large`', test: LIMITS_TEST },
  { what: 'chunk extensions of a body', value: '16 KiB', setting: { fixed: 'of the parser of Node; nobody sends any' }, beyond: '413 `too_large`', test: 'test/integration/server/http/bytes.test.ts' },
  { what: 'large bodies in memory at once', value: '256 MiB', setting: ['HTTP_MAX_BODY_MEMORY'], beyond: '503 `overloaded`; bodies of 64 KiB and less are always taken', test: 'test/unit/server/http/body-budget.test.ts' },
  { what: 'large answers that are made or not yet read', value: '64 MiB', setting: ['HTTP_MAX_ANSWER_MEMORY'], beyond: 'it waits for up to 4 s, then 503 `overloaded`', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'answers that are not yet read, over all connections', value: '128 MiB', setting: { fixed: 'clients that read leave next to nothing there' }, beyond: 'the connections that have waited longest for their client are closed', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'depth of JSON, and structural characters in it', value: '64, and 10,000', setting: { fixed: 'a task needs far less; a deeper one costs seconds of CPU' }, beyond: '400', test: 'test/integration/server/tasks/json-parsing.test.ts' },
  { what: 'body of any other change', value: '64 KiB; of a bulk action 16 MiB', setting: { fixed: 'the largest change that has a meaning fits' }, beyond: '413 `too_large`', test: 'test/integration/server/http/asked-change.test.ts' },
  { what: 'ids of a bulk action', value: '10,000', setting: { fixed: 'contract; a filter takes any number of tasks' }, beyond: '400 `invalid_request`', test: 'test/integration/server/bulk-actions/routes.test.ts' },
  { what: 'bulk actions whose numbers may still change', value: '1,000, and 250 of one key', setting: ['MAX_LIVE_BULK_ACTIONS', 'MAX_LIVE_BULK_ACTIONS_PER_KEY'], beyond: '429 `quota_exceeded`', test: 'test/integration/server/access/caller-limits.test.ts' },
  { what: 'bulk actions that are kept', value: '1,000, for 30 days', setting: { fixed: 'contract' }, beyond: 'of those that have ended, the oldest of the key that has most go', test: 'test/integration/shared/queue/bulk-actions/kept-actions.test.ts' },
  { what: 'entries of the audit', value: '10,000, and the newest 1,000 of each actor; on a Cluster as many about all but tasks, and about those beside each shard 20,000 / `SHARDS`, 1,000 at least and 10,000 at most, and the newest 1,000 of each actor', setting: { fixed: 'contract; the log has all of them' }, beyond: 'the oldest go', test: 'test/integration/shared/queue/audit/audit-log.test.ts' },
  { what: '`reason` of a change, and `X-Operator`', value: '500 and 100 characters', setting: { fixed: 'contract' }, beyond: '400', test: 'test/integration/server/http/asked-change.test.ts' },
  { what: '`Idempotency-Key`', value: '128 characters', setting: { fixed: 'contract' }, beyond: '400', test: 'test/integration/server/tasks/idempotency-key.test.ts' },
  { what: 'fields of a task', value: '[TASK-FIELDS.md](TASK-FIELDS.md)', setting: { fixed: 'contract' }, beyond: '400 `invalid_task`', test: 'test/unit/server/tasks/schema.test.ts' },
  { what: 'conditions of a search', value: '20, with 16,384 characters in all', setting: { fixed: 'contract; each is looked at for each task' }, beyond: '400 `invalid_query`', test: 'test/unit/shared/domain/search/filter.test.ts' },
  { what: 'entries of a list', value: '1,000', setting: { fixed: 'contract; the next page has more' }, beyond: '400', test: 'test/integration/server/search/routes.test.ts' },
  // ---------------------------------------------------------------- callers: how long
  { what: 'time for the headers of a request', value: '70 s', setting: ['HTTP_HEADERS_TIMEOUT'], beyond: '408 `request_timed_out`', test: LIMITS_TEST },
  { what: 'time for a whole request', value: '5 min', setting: ['HTTP_REQUEST_TIMEOUT'], beyond: '408 `request_timed_out`', test: LIMITS_TEST },
  { what: 'time of a connection without requests', value: '65 s', setting: ['HTTP_KEEP_ALIVE'], beyond: 'it is closed', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'time in which a client takes nothing of its answer', value: '20 to 40 s', setting: { fixed: 'a client that reads at all is never so slow' }, beyond: 'the connection is closed', test: 'test/unit/server/http/connections.test.ts' },
  { what: 'time in which a client has to have its whole answer', value: '10 min', setting: { fixed: 'by then even a slow client has it' }, beyond: 'the connection is closed', test: 'test/unit/server/http/connection-limits.test.ts' },
  { what: 'time for the answer to a client that has ended its side', value: '30 s', setting: { fixed: 'such a client may be gone, and only an answer would tell' }, beyond: 'the connection is closed', test: 'test/unit/server/http/connection-limits.test.ts' },
  { what: 'wait to read a large task', value: '5 s', setting: { fixed: 'tasks of more than 128 KiB are read one at a time, and take some 30 ms each' }, beyond: '503 `overloaded`', test: 'test/unit/shared/queue/tasks/large-reads.test.ts' },
  { what: 'pace of a large body', value: 'a thirtieth of it in 10 s', setting: { fixed: 'HTTP_REQUEST_TIMEOUT needs a faster one' }, beyond: '408 `request_timed_out`', test: 'test/unit/server/http/upload-pace.test.ts' },
  // ---------------------------------------------------------------- receivers
  { what: 'addresses that tasks go to', value: 'by ENVIRONMENT', setting: ['DESTINATION_POLICY', 'DESTINATION_ALLOW', 'DESTINATION_DENY'], beyond: '400 `invalid_task`, or the task ends with `address_forbidden`', test: 'test/integration/server/tasks/destination-policy.test.ts' },
  { what: 'secrets that are stored: headers of HTTP destinations, and credentials', value: 'none in prod without keys to encrypt them', setting: ['SECRETS_KEYS'], beyond: '400 `secrets_not_configured`', test: 'test/integration/server/tasks/secret-headers.test.ts' },
  { what: 'time of an attempt', value: '30 s', setting: ['DELIVERY_TIMEOUT'], beyond: '`timed_out`', test: 'test/contract/adapter-suite.ts' },
  { what: 'what is read of an HTTP answer', value: '16 KiB of headers, 64 KiB of body', setting: { fixed: 'the status alone decides; the rest is for people' }, beyond: 'the connection is closed; the status decides', test: 'test/contract/http/endless-answers.test.ts' },
  { what: 'what a Kafka broker may name', value: '500 brokers, 100 topics, 10,000 partitions', setting: { fixed: 'one answer of a broker is held in memory' }, beyond: '`broker_unreachable`', test: 'test/unit/shared/kafka/answer-check.test.ts' },
  { what: 'rounds of SCRAM that a Kafka broker may ask for', value: '4,096 to 200,000', setting: { fixed: 'fewer are unsafe, and more cost seconds of CPU' }, beyond: '`broker_unreachable`', test: 'test/unit/shared/kafka/scram-exchange.test.ts' },
  { what: 'sends in flight of a worker', value: '`auto`', setting: ['WORKER_CONCURRENCY'], beyond: 'tasks wait', test: 'test/integration/workers/worker-slots.test.ts' },
];
