/**
 * Every environment variable, once: how it is read, its default, what it means.
 * docs/ENVIRONMENT.md is generated from this table. Only load.ts reads the environment.
 */
import { policyLevels } from '../domain/addresses/destination-policy.js';
import { knownChatWebhooks } from '../domain/destinations/path-mask.js';
import { MOST_SHARDS } from '../domain/most-shards.js';
import { jitters } from '../domain/task/retry-policy.js';
import { boolean, bootstrapKey, collectorHeaders, DESTINATION_RULES, destinationRules, duration, hostPattern, hostPatterns, hostPort, hostPorts, integer, oneOf, pemFile, portOrOff, proxy, secret, secretKeys, slots, text, token, variable, type Variable } from './variable-kinds.js';

export type Environment = 'dev' | 'prod';

export const variables = {
  ENVIRONMENT: oneOf(['dev', 'prod'], 'dev', '`prod`: JSON logs and strict defaults.'),
  LOG_LEVEL: oneOf(['error', 'warn', 'info', 'debug'], 'info', 'What is logged. The line of each attempt is `info`.'),
  HTTP_HOST: variable((value) => value.replace(/^\[(.*)\]$/, '$1'), 'text', undefined, 'Address the API listens on; `::` = all addresses, of IPv4 and IPv6. Default: 127.0.0.1 in dev, 0.0.0.0 in prod; in the image `::`.'),
  HTTP_PORT: integer(0, 65535, '8080', 'Port the API listens on; 0 = any free one.'),
  HTTP_KEEP_ALIVE: duration('65s', 'How long the API keeps a connection without requests. It must be longer than the time for which a load balancer or proxy in front keeps its own, or a request now and then meets a closed connection.', { min: 1_000, max: 3_600_000 }),
  HTTP_MAX_CONNECTIONS: integer(1, 1_000_000, '10000', 'Connections that the API holds at once, and fewer where the process may not open as many files. When they are used up, those without a request are closed for new ones.'),
  HTTP_MAX_HEADER_BYTES: integer(4_096, 65_536, '16384', 'The path, and the names and values of the headers of a request, have to be smaller than this, in bytes; else 431 `headers_too_large`.'),
  HTTP_MAX_HEADER_LINES: integer(20, 900, '200', 'Most header lines of a request; more is 431 `headers_too_large`.'),
  HTTP_HEADERS_TIMEOUT: duration('70s', 'In this time the headers of a request have to come whole, from its first byte on, or from the beginning of a connection that sends nothing; else 408 `request_timed_out`. At most HTTP_REQUEST_TIMEOUT. It should be longer than HTTP_KEEP_ALIVE.', { min: 1_000, max: 3_600_000 }),
  HTTP_REQUEST_TIMEOUT: duration('5m', 'In this time a request has to come whole; else 408 `request_timed_out`.', { min: 1_000, max: 3_600_000 }),
  HTTP_MAX_BODY_MEMORY: integer(1_048_576, 2 ** 40, '268435456', 'Bytes of large bodies that the API holds at once, and more where the largest body needs it; beyond it 503 `overloaded`. Of each body 64 KiB are always taken.'),
  HTTP_MAX_ANSWER_MEMORY: integer(1_048_576, 2 ** 40, '67108864', 'Bytes of large answers that the API makes, or that wait to be read, at once, and more where the largest message needs it; beyond it an answer waits for up to 4 s, then 503 `overloaded`.'),
  ALLOWED_HOSTS: variable(
    (value) => value.split(',').map((part) => hostPattern(part.trim())),
    'names divided by commas, such as api.example.com,*.example.net, without ports',
    undefined,
    'Names under which the API answers, besides `localhost`, IP addresses, and HTTP_HOST; another name is 421 `unknown_host`. `*.example.net` stands for all names below `example.net`. It keeps web pages away that get a name of their own to point to this address (DNS rebinding). Not set: no other name in dev; every name in prod, with a warning.',
  ),
  AUTH: oneOf(['on', 'off'], undefined, '`on`: every call but `/`, `/login`, `/health`, `/livez`, `/readyz`, `/docs` and `/openapi.*` needs an access key, or a person who has signed in with one (docs/SECURITY.md), and the API answers under every name. `off`: every call of everybody who reaches the port is allowed. Default: off in dev, on in prod. Read by the API alone.'),
  BOOTSTRAP_API_KEY: {
    ...variable(bootstrapKey, 'krs_<id>_<secret>: an id of 4 to 16 of a-z and 0-9, a secret of 64 digits of 0-9 and a-f', undefined, 'An admin key that holds while it is set, to make the first keys with. It is not stored, and holds while Redis is away, too. Read by the API alone.'),
    isSecret: true,
  },
  SESSION_IDLE: duration('1h', 'With AUTH=on: a person at a browser is signed out after this time without a request. What a page asks for by itself, while nobody is at it, does not count. Read by the API alone.', { min: 1_000 }),
  SESSION_LIFETIME: duration('12h', 'With AUTH=on: a person at a browser has to sign in again after this time, whatever was done meanwhile. Read by the API alone.', { min: 1_000 }),
  WRONG_KEYS_PER_SECOND: integer(1, 1_000, '10', 'Wrong access keys of one address that are answered in a second, after twice as many at once. Further ones wait for up to 2 s, and then are 429 `rate_limited`. A right key never waits. Workers hold wrong texts for METRICS_TOKEN to the same.'),
  MAX_ACCESS_KEYS: integer(1, 100_000, '10000', 'Most access keys that are kept. Each API process holds all of them in memory. Read by the API alone.'),
  MAX_QUOTA_CLIENTS: integer(1, 100_000, '10000', 'Most clients with a quota. Each shard keeps a number for each of them. Read by the API alone.'),
  MAX_SESSIONS_PER_KEY: integer(1, 10_000, '100', 'Most sessions of people who have signed in with one access key. With one more, the one that was idle for longest ends. Read by the API alone.'),
  MAX_CREDENTIALS: integer(1, 100_000, '10000', 'Most destinations that have credentials. Each worker holds all of them in memory. Read by the API alone.'),
  TEST_SENDS_PER_MINUTE: integer(1, 1_000, '10', 'Test sends that one access key may ask for in a minute (all callers together with AUTH=off); more is 429 `rate_limited`. They go past pauses and limits of destinations. Read by the API alone.'),
  MAX_LIVE_BULK_ACTIONS: integer(1, 10_000, '1000', 'Most bulk actions that look for tasks, change them, are paused, or wait for the end of what they have started; one more is 429 `quota_exceeded`. Workers look at all of them several times a second. Read by the API alone.'),
  MAX_LIVE_BULK_ACTIONS_PER_KEY: integer(1, 10_000, '250', 'Of those, how many one access key may have. With AUTH=off there is no such limit. Read by the API alone.'),
  SECRETS_KEYS: {
    ...variable(secretKeys, 'id:key,id:key with ids of 1 to 32 letters, digits, - or _, each once, and keys of 32 bytes in base64, as `openssl rand -base64 32` prints one', undefined, 'Keys that encrypt what is stored of secrets (AES-256-GCM): values of `headers` of HTTP destinations, and credentials of destinations. The first one encrypts, all decrypt. Give the API and all workers the same. Without it such secrets are refused in prod (400 `secrets_not_configured`), and stored as they are in dev.'),
    isSecret: true,
  },

  REDIS_MODE: oneOf(['standalone', 'sentinel', 'cluster'], 'standalone', 'How Redis is run.'),
  REDIS_ADDR: variable((value) => hostPort(value, 6379), 'host:port', undefined, 'Redis in mode standalone. Not set: `npm start` brings an embedded one; a process started by hand uses 127.0.0.1:6379.'),
  REDIS_USERNAME: text(undefined, 'Redis user.'),
  REDIS_PASSWORD: secret('Redis password.'),
  REDIS_DB: integer(0, 65535, '0', 'Redis database number (not in mode cluster).'),
  REDIS_TLS: boolean('false', 'Connect to Redis with TLS, and in mode sentinel to the sentinels, too. Then nothing is ever sent in clear.'),
  REDIS_TLS_CA_FILE: pemFile('Certificates of the authorities that are trusted for Redis and its sentinels, instead of those that Node knows.'),
  REDIS_TLS_CERT_FILE: pemFile('Our certificate, where Redis asks for one, followed by those between it and its authority.'),
  REDIS_TLS_KEY_FILE: pemFile('The private key of that certificate, without a passphrase.'),
  REDIS_TLS_SERVERNAME: text(undefined, 'Name that the certificate of Redis must have, of each of its nodes and sentinels. Default: the name or address that is connected to.'),
  REDIS_SENTINEL_PASSWORD: secret('Password of the sentinels.'),
  REDIS_SENTINEL_TLS: boolean(undefined, 'Connect to the sentinels with TLS. Default: as REDIS_TLS says.'),
  REDIS_MASTER_NAME: text(undefined, 'Name of the master, required in mode sentinel.'),
  REDIS_SENTINEL_ADDRS: variable(hostPorts(26379), 'host:port,host:port', undefined, 'Sentinels, required in mode sentinel.'),
  REDIS_CLUSTER_ADDRS: variable(hostPorts(6379), 'host:port,host:port', undefined, 'Some nodes of the cluster, required in mode cluster.'),
  PREVIOUS_REDIS_ADDR: variable((value) => hostPort(value, 6379), 'host:port', undefined, 'Of the API, while the service moves from one Redis to another: the old one. The API looks there, too, for each id that is submitted, read, cancelled, edited or sent at once, and leaves those that it knows there: see SCALING.md. It has one shard, and the same QUEUE_PREFIX. Workers only learn by it that tasks must not be sent there.'),
  PREVIOUS_REDIS_USERNAME: text(undefined, 'User of the old Redis.'),
  PREVIOUS_REDIS_PASSWORD: secret('Password of the old Redis.'),
  PREVIOUS_REDIS_DB: integer(0, 65535, '0', 'Database number of the old Redis.'),
  PREVIOUS_REDIS_TLS: boolean('false', 'Connect to the old Redis with TLS, with the files of REDIS_TLS_*.'),
  QUEUE_PREFIX: variable(
    (value) => {
      if (!/^[A-Za-z0-9_-]{1,40}$/.test(value)) throw new Error('illegal');
      return value;
    },
    '1 to 40 letters, digits, - or _',
    'bull',
    'Prefix of every Redis key, so that several deployments can share one Redis.',
  ),
  REDIS_HIGH_WATER: variable(
    (value) => {
      const share = Number(value);
      if (!(share > 0 && share <= 1)) throw new Error('out of range');
      return share;
    },
    'a number above 0, at most 1',
    '0.85',
    "Share of Redis' maxmemory above which submissions are refused (503 `redis_full`), so that deliveries can go on. On a Cluster the fullest master counts, for the ids of all shards.",
  ),

  SHARDS: integer(1, MOST_SHARDS, undefined, 'Number of queues over which tasks are spread by id. Default: 16 in mode cluster, else 1. It is stored in Redis with the first start, and cannot be changed after that: see SCALING.md.'),
  REDIS_MIN_REPLICAS: integer(0, 100, '0', 'What is accepted (tasks, edits, cancels, pauses, bulk actions, keys) is answered with 2xx only when so many replicas of Redis have it, else with 503. With the number of all replicas no failover loses what was accepted, and while one of them is away nothing is accepted: see RELIABILITY.md.'),

  KAFKA_BROKERS: variable(hostPorts(9092), 'host:port,host:port', 'localhost:9092', 'The default Kafka cluster: for destinations without a host. The only one that ever gets the KAFKA_* credentials.'),
  KAFKA_SASL_MECHANISM: oneOf(['plain', 'scram-sha-256', 'scram-sha-512'], undefined, 'How to log in to KAFKA_BROKERS.'),
  KAFKA_USERNAME: text(undefined, 'User for KAFKA_BROKERS.'),
  KAFKA_PASSWORD: secret('Password for KAFKA_BROKERS.'),
  KAFKA_TLS: boolean('false', 'Connect to KAFKA_BROKERS with TLS. The certificate of each broker must be for the name or address that is connected to.'),
  KAFKA_TLS_CA_FILE: pemFile('Certificates of the authorities that are trusted for KAFKA_BROKERS, instead of those that Node knows.'),
  KAFKA_TLS_CERT_FILE: pemFile('Our certificate, where the brokers ask for one, followed by those between it and its authority.'),
  KAFKA_TLS_KEY_FILE: pemFile('The private key of that certificate, without a passphrase.'),

  METRICS_TOKEN: token('What Prometheus sends as `Authorization: Bearer` to read `/metrics`, and nothing else, of the API and of workers (docs/METRICS.md). With AUTH=on the API takes a key with the role `read`, too; a worker takes this token alone. With AUTH=off everybody may read.'),
  WORKER_HTTP_PORT: portOrOff('Port on which a worker answers `/metrics`, `/livez` and `/readyz`, at HTTP_HOST; 0 = any free one. Each worker of a machine needs one of its own: under `npm start` the second one gets the next number, and so on.'),

  WORKERS: integer(1, 64, '1', 'Worker processes under `npm start`.'),
  WORKER_CONCURRENCY: slots(10_000, 'Deliveries in flight per worker process; one endpoint alone gets three sevenths of them. `auto`: 2,000 shared by all workers that run, 100 to 1,000 each, and fewer while their messages take more than 256 MiB. A number is kept exactly.'),
  DELIVERY_TIMEOUT: duration('30s', 'Total time of one attempt: connect, send, and the whole answer.', { min: 100, max: 3_600_000 }),
  MAX_MESSAGE_BYTES: integer(1, 64 * 1_048_576, '1048576', 'Largest message_data, in bytes of UTF-8. The limit of the HTTP body follows from it.'),
  MAX_BATCH_TASKS: integer(1, 100_000, '10000', 'Most tasks of one batch. An array with more is 413 `too_large`, and nothing of it is stored; of NDJSON the first ones are.'),
  MAX_BATCH_BYTES: integer(65_536, 256 * 1_048_576, '33554432', 'Largest body of a batch, in bytes. As for MAX_BATCH_TASKS.'),
  DESTINATION_POLICY: oneOf(
    policyLevels,
    undefined,
    'Which addresses tasks may be sent to. `public`: what the internet routes, for clients who are outsiders. `internal`: private networks too, but no loopback, link-local, multicast, or reserved address. `any`: those too. The first two refuse ports of mail, SSH, Redis and the like. Metadata services of clouds and the Redis of this service are never sent to; brokers in KAFKA_BROKERS always. It is judged when a task is submitted, and for every connection. Default: any in dev, internal in prod.',
  ),
  DESTINATION_ALLOW: variable(destinationRules, DESTINATION_RULES, undefined, 'Destinations that DESTINATION_POLICY does not judge. A name allows whatever it resolves to, but for what is never sent to.'),
  DESTINATION_DENY: variable(destinationRules, DESTINATION_RULES, undefined, 'Destinations that are refused, also where DESTINATION_ALLOW names them.'),
  DESTINATION_PROXY: proxy('A proxy through which workers reach HTTP destinations and token servers, by CONNECT, for http: too. Names are looked up and judged here, and the proxy gets the address. Kafka is reached directly. HTTP_PROXY and the like are not read.'),
  DESTINATION_PROXY_RESOLVES: oneOf(['on', 'off'], 'off', 'The proxy looks names up: it gets the name, and DESTINATION_POLICY judges only literal addresses and names in DESTINATION_DENY. For networks without DNS of their own; then the proxy has to keep tasks from inner addresses.'),
  DESTINATION_PROXY_CA_FILE: pemFile('Authorities that are trusted for the certificate of an https: proxy, in place of those that Node knows.'),
  DESTINATION_PROXY_BYPASS: variable(destinationRules, DESTINATION_RULES, undefined, 'Destinations that are connected to directly. Networks hold for urls with an address, not for names.'),
  SECRET_PATH_HOSTS: variable(
    hostPatterns,
    'host names or IP addresses without ports, `*.example.com` for all names below one, or `*`; divided by commas',
    knownChatWebhooks.join(','),
    'HTTP hosts whose paths are secret: every segment of them is shown as a hash. On other hosts only a segment of 20 characters or more that mixes letters and digits is. What one process lists, all hide, for an hour longer than it runs; `GET /stats` says where they differ.',
  ),
  FLOW_CIRCUIT: oneOf(['on', 'off'], 'on', 'Circuit breakers of endpoints and hosts, slow start, and Retry-After for all tasks of an endpoint. `off`: every task is sent as its own policy says.'),
  FLOW_CIRCUIT_FAILURES: integer(2, 10_000, '30', 'Failures in a row that open the circuit of an endpoint or a host. Those of one task right behind each other count once. A 500 counts for a quarter of one: it may be about the message.'),
  FLOW_CIRCUIT_COOL_DOWN: duration('2s', 'From the opening of a circuit to its first probe; doubles with each probe that fails.', { min: 100, max: 3_600_000 }),
  FLOW_CIRCUIT_MAX_COOL_DOWN: duration('30s', 'Cap on that time, and on a Retry-After that holds back all tasks of a destination.', { min: 100, max: 3_600_000 }),
  FLOW_CIRCUIT_MAX_OPEN: duration('15m', 'Open for that long, tasks are sent again and their attempts count, so that a dead receiver leads to dead letters.'),
  RETRY_JITTER: oneOf(jitters, 'none', 'Jitter of tasks that name none: `none` keeps the exact schedule. Read by the API alone; a task keeps what it was accepted with. It is part of its content: after a change, a task under way that is submitted again is a `conflict`.'),
  DEAD_ATTEMPTS: integer(1, 1_000, '10', 'Sends to the dead destination before a task is parked.'),
  DEAD_BASE_DELAY: duration('1s', 'Wait after the first failed dead delivery; doubles.'),
  DEAD_MAX_DELAY: duration('5m', 'Cap on that wait.'),
  SHUTDOWN_TIMEOUT: duration(undefined, 'From SIGTERM, and SHUTDOWN_DELAY behind it, to the end of the process: what is in flight may finish until shortly before. Default: 10s in dev, DELIVERY_TIMEOUT + 5s in prod. What kills the process has to wait longer than both together.', { min: 500, max: 3_600_000 }),
  SHUTDOWN_DELAY: duration('0s', 'How long the API goes on to answer after SIGTERM, while `/readyz` is 503, before it takes no more requests: as long as a load balancer takes to notice. Read by the API alone.', { isZeroTaken: true, max: 600_000 }),
  LOCK_DURATION: duration('15s', 'How long a worker holds a task without renewing its lock. The tasks of a worker that was killed go out again within 6 s while Redis is well; where that cannot be known, within this time and two stall checks.', { min: 1_000, max: 3_600_000 }),
  STALL_CHECK_INTERVAL: duration('5s', 'How often tasks of dead workers are looked for.', { min: 100, max: 3_600_000 }),
  STALL_BASE_DELAY: duration('1s', 'Wait of a task after its third crash in a row; doubles.'),
  STALL_MAX_DELAY: duration('5m', 'Cap on that wait.'),
  RELEASE_BASE_DELAY: duration('30s', 'Wait of a task that a worker cannot handle (written by a newer version, a bug of ours); doubles.'),
  RELEASE_MAX_DELAY: duration('10m', 'Cap on that wait.'),

  DELIVERED_RETENTION: duration('1h', 'How long a delivered or cancelled task can be looked at.', { max: 365 * 86_400_000 }),
  DELIVERED_MAX: integer(0, 100_000_000, '100000', 'How many of them are kept at most.'),
  DEAD_LETTER_RETENTION: duration('30d', 'How long a dead letter can be looked at and redriven. Parked tasks are never removed.', { max: 3650 * 86_400_000 }),

  OTEL_EXPORTER_OTLP_ENDPOINT: text(undefined, 'Where spans are sent, such as `http://collector:4318` (`:4317` with `grpc`); tracing is on where it is set, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. The other standard variables of OpenTelemetry are read by its SDK.'),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text(undefined, 'The same for traces alone; the whole url, such as `http://collector:4318/v1/traces`.'),
  OTEL_EXPORTER_OTLP_HEADERS: collectorHeaders('Headers that go to the collector.'),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: collectorHeaders('The same for traces alone.'),
  OTEL_EXPORTER_OTLP_PROTOCOL: text('http/protobuf', '`http/protobuf`, `http/json` or `grpc`.'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: text(undefined, 'The same for traces alone.'),
  OTEL_TRACES_EXPORTER: text('otlp', '`otlp`, `console`, or `none`: nothing is traced. Where it is set, no endpoint is needed: it is on localhost then.'),
  OTEL_SDK_DISABLED: text('false', '`true`: nothing is traced, also beside an APM.'),

  POLL_INTERVAL: text(undefined, 'Accepted for compatibility and ignored with a warning: nothing polls.'),
} as const;

export type VariableName = keyof typeof variables;

/** `REDIS_PASSWORD` -> `REDIS_PASSWORD_FILE`: a file that holds the value of a secret. */
export function fileVariableOf(name: string): string {
  return `${name}_FILE`;
}

/** Each name that is read: those of the table, and the files of the secrets. */
export const knownNames: readonly string[] = Object.entries(variables).flatMap(([name, row]: readonly [string, Variable<unknown>]) => (row.isSecret === true ? [name, fileVariableOf(name)] : [name]));
