import { addressMeant } from '../domain/destinations/address-meant.js';
import { defaultCircuitRules } from '../domain/flow/circuit.js';
import { colourChoice } from './colour-choice.js';
import { settingsOfOtherModes } from './redis-mode.js';
import { readSecret } from './secret-file.js';
import { checkedTlsFiles } from './tls-settings.js';
import { unknownVariables } from './unknown-variables.js';
import { valueMeant } from './value-meant.js';
import { tracingConfig, tracingWarnings } from './tracing-settings.js';
import { fileVariableOf, knownNames, variables, type Environment, type VariableName } from './schema.js';
import type { Variable } from './variable-kinds.js';
import type { Config, KafkaConfig, RedisConfig } from './config.js';

/** For giving back what could not finish, and for closing, ms. */
const CLOSING_MS = 5_000;

/** Exit code of a process whose configuration is wrong (sysexits.h, EX_CONFIG): a supervisor need not start it again. */
export const EXIT_CONFIG = 78;

export class ConfigError extends Error {
  /**
   * @param hints of variables that may be the reason of a fault, since their names are misspelt
   * @param environment undefined: it is wrong itself
   */
  constructor(
    readonly faults: readonly string[],
    readonly hints: readonly string[] = [],
    readonly environment?: Environment,
  ) {
    super(`The configuration is wrong:\n${[...faults, ...hints].map((line) => `  - ${line}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

type Values = { readonly [N in VariableName]: (typeof variables)[N] extends Variable<infer T> ? T | undefined : never };

/**
 * Reads and checks the environment.
 * @throws ConfigError with every fault at once: name, value (never a secret's), what is allowed
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: string[] = [];
  const values = readAll(env, faults);
  const redis = redisConfig(values, faults);
  const ofOtherModes = settingsOfOtherModes(values);
  faults.push(...ofOtherModes.faults);
  const previousRedis = previousRedisConfig(values, redis, faults);
  const kafka = kafkaConfig(values, faults);
  if (faults.length > 0 || redis === undefined) throw new ConfigError(faults, misspelt(env), values.ENVIRONMENT);

  const environment = required(values.ENVIRONMENT);
  const config: Config = {
    environment,
    logLevel: required(values.LOG_LEVEL),
    logColours: colourChoice(env),
    http: {
      host: values.HTTP_HOST ?? (environment === 'prod' ? '0.0.0.0' : '127.0.0.1'),
      port: required(values.HTTP_PORT),
      keepAliveMs: required(values.HTTP_KEEP_ALIVE),
      maxConnections: required(values.HTTP_MAX_CONNECTIONS),
      maxHeaderBytes: required(values.HTTP_MAX_HEADER_BYTES),
      maxHeaderLines: required(values.HTTP_MAX_HEADER_LINES),
      maxBodyMemory: required(values.HTTP_MAX_BODY_MEMORY),
      maxAnswerMemory: required(values.HTTP_MAX_ANSWER_MEMORY),
      headersTimeoutMs: Math.min(required(values.HTTP_HEADERS_TIMEOUT), required(values.HTTP_REQUEST_TIMEOUT)),
      requestTimeoutMs: required(values.HTTP_REQUEST_TIMEOUT),
      allowedHosts: allowedHosts(values, environment),
    },
    secretKeys: values.SECRETS_KEYS ?? [],
    auth: { isOn: isAuthOn(values, environment), bootstrapKey: values.BOOTSTRAP_API_KEY, sessionTimes: { idleMs: required(values.SESSION_IDLE), lifetimeMs: required(values.SESSION_LIFETIME), mostOfKey: required(values.MAX_SESSIONS_PER_KEY) }, wrongKeysPerSecond: required(values.WRONG_KEYS_PER_SECOND) },
    callerLimits: { accessKeys: required(values.MAX_ACCESS_KEYS), quotaClients: required(values.MAX_QUOTA_CLIENTS), credentials: required(values.MAX_CREDENTIALS), testSendsPerMinute: required(values.TEST_SENDS_PER_MINUTE), liveBulkActions: required(values.MAX_LIVE_BULK_ACTIONS), liveBulkActionsPerKey: required(values.MAX_LIVE_BULK_ACTIONS_PER_KEY) },
    redis,
    previousRedis,
    redisHighWater: required(values.REDIS_HIGH_WATER),
    redisMinReplicas: required(values.REDIS_MIN_REPLICAS),
    queuePrefix: required(values.QUEUE_PREFIX),
    shards: values.SHARDS ?? (redis.mode === 'cluster' ? 16 : 1),
    kafka,
    workerConcurrency: required(values.WORKER_CONCURRENCY),
    deliveryTimeoutMs: required(values.DELIVERY_TIMEOUT),
    circuit: {
      ...defaultCircuitRules,
      isOn: required(values.FLOW_CIRCUIT) === 'on',
      failuresInARow: required(values.FLOW_CIRCUIT_FAILURES),
      baseCoolMs: required(values.FLOW_CIRCUIT_COOL_DOWN),
      maxCoolMs: required(values.FLOW_CIRCUIT_MAX_COOL_DOWN),
      maxOpenMs: required(values.FLOW_CIRCUIT_MAX_OPEN),
    },
    maxMessageBytes: required(values.MAX_MESSAGE_BYTES),
    batch: { maxTasks: required(values.MAX_BATCH_TASKS), maxBytes: required(values.MAX_BATCH_BYTES) },
    destinationPolicy: { level: values.DESTINATION_POLICY ?? (environment === 'prod' ? 'internal' : 'any'), allow: values.DESTINATION_ALLOW ?? [], deny: values.DESTINATION_DENY ?? [] },
    destinationProxy: values.DESTINATION_PROXY === undefined ? undefined : { ...values.DESTINATION_PROXY, resolves: values.DESTINATION_PROXY_RESOLVES === 'on', caFile: values.DESTINATION_PROXY_CA_FILE, bypass: values.DESTINATION_PROXY_BYPASS ?? [] },
    secretPathHosts: required(values.SECRET_PATH_HOSTS),
    retryJitter: required(values.RETRY_JITTER),
    dead: { attempts: required(values.DEAD_ATTEMPTS), baseDelayMs: required(values.DEAD_BASE_DELAY), maxDelayMs: required(values.DEAD_MAX_DELAY) },
    stall: {
      lockMs: required(values.LOCK_DURATION),
      checkMs: required(values.STALL_CHECK_INTERVAL),
      baseDelayMs: required(values.STALL_BASE_DELAY),
      maxDelayMs: required(values.STALL_MAX_DELAY),
    },
    release: { baseDelayMs: required(values.RELEASE_BASE_DELAY), maxDelayMs: required(values.RELEASE_MAX_DELAY) },
    // What is in flight when a worker of a fleet is told to stop may take its whole time limit.
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT ?? (environment === 'prod' ? required(values.DELIVERY_TIMEOUT) + CLOSING_MS : 10_000),
    shutdownDelayMs: required(values.SHUTDOWN_DELAY),
    telemetry: { tracing: tracingConfig(values, env), metricsToken: values.METRICS_TOKEN, workerPort: required(values.WORKER_HTTP_PORT) },
    retention: {
      deliveredMs: required(values.DELIVERED_RETENTION),
      deliveredMax: required(values.DELIVERED_MAX),
      deadLetterMs: required(values.DEAD_LETTER_RETENTION),
    },
    warnings: [...misspelt(env), ...ofOtherModes.warnings, ...tracingWarnings(values), ...warnings(values, environment)],
  };
  return deepFreeze(config);
}

/**
 * For main.ts: with a wrong configuration it ends the process with EXIT_CONFIG.
 * @param report says every fault; by default on stderr
 */
export function loadConfigOrExit(report: (error: ConfigError) => void = printFaults): Config {
  try {
    const config = loadConfig();
    Object.assign(process.env, config.telemetry.tracing.fromFiles);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report(error);
    process.exit(EXIT_CONFIG);
  }
}

export function printFaults({ message }: ConfigError): void {
  process.stderr.write(`${message}\n`);
}

function readAll(env: Readonly<Record<string, string | undefined>>, faults: string[]): Values {
  const read = (name: VariableName): unknown => {
    const { parse, fallback, allowed, isSecret }: Variable<unknown> = variables[name];
    const given = isSecret === true ? readSecret(name, env[name], env[fileVariableOf(name)], faults) : env[name];
    // Compose files pass variables that are not set as empty strings.
    const text = given === undefined || given === '' ? fallback : given;
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch {
      // The parser's own message is left out: it would say less than `allowed`, or repeat the value of a secret.
      // A url with a password may stand by mistake where an address belongs.
      const isHidden = isSecret === true || text.includes('@');
      faults.push(`${name}=${isHidden ? '(hidden)' : JSON.stringify(text)}: must be ${allowed}${hintFor(text, isHidden, variables[name])}`);
      return undefined;
    }
  };
  const names = Object.keys(variables) as VariableName[];
  // The parser of its own row has read each entry. The mapped type says the same.
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Values;
}

function hintFor(text: string, isHidden: boolean, variable: Variable<unknown>): string {
  if (variable.allowed.startsWith('host:port')) return hintForAddress(text);
  const meant = isHidden ? undefined : valueMeant(text, variable);
  return meant === undefined ? '' : `: did you mean ${meant}?`;
}

/** `kafka://localhost:9092` -> `: did you mean localhost:9092?` The scheme, a user and a password have variables of their own. */
function hintForAddress(text: string): string {
  const meant = text.split(',').map((part) => addressMeant(part));
  const known = meant.flatMap((address) => (address?.scheme === undefined ? [] : [`${address.host}${address.port === undefined ? '' : `:${address.port}`}`]));
  return known.length === meant.length ? `: did you mean ${known.join(',')}?` : '';
}

function redisConfig(values: Values, faults: string[]): RedisConfig | undefined {
  const { REDIS_MODE: mode, REDIS_TLS_SERVERNAME: servername, REDIS_TLS: isTls = false } = values;
  const isSentinelTls = mode === 'sentinel' && (values.REDIS_SENTINEL_TLS ?? isTls);
  const files = checkedTlsFiles('REDIS', { ca: values.REDIS_TLS_CA_FILE, cert: values.REDIS_TLS_CERT_FILE, key: values.REDIS_TLS_KEY_FILE }, isTls || isSentinelTls || values.PREVIOUS_REDIS_TLS === true, faults);
  if (servername !== undefined && !isTls && !isSentinelTls) faults.push('REDIS_TLS_SERVERNAME: is set, and REDIS_TLS is not true');
  const tls = { files, servername };
  const access = { username: values.REDIS_USERNAME, password: values.REDIS_PASSWORD, tls: isTls && tls };
  const db = values.REDIS_DB ?? 0;
  switch (mode) {
    case 'sentinel': {
      const { REDIS_MASTER_NAME: masterName, REDIS_SENTINEL_ADDRS: sentinels } = values;
      if (masterName === undefined) faults.push('REDIS_MASTER_NAME: is required when REDIS_MODE=sentinel');
      if (sentinels === undefined) faults.push('REDIS_SENTINEL_ADDRS: is required when REDIS_MODE=sentinel');
      return masterName === undefined || sentinels === undefined ? undefined : { ...access, mode, masterName, sentinels, sentinelPassword: values.REDIS_SENTINEL_PASSWORD, sentinelTls: isSentinelTls && tls, db };
    }
    case 'cluster': {
      const nodes = values.REDIS_CLUSTER_ADDRS;
      if (nodes === undefined) faults.push('REDIS_CLUSTER_ADDRS: is required when REDIS_MODE=cluster');
      if (db !== 0) faults.push(`REDIS_DB="${db}": a cluster has only database 0`);
      return nodes === undefined ? undefined : { ...access, mode, nodes };
    }
    case 'standalone':
      return { ...access, mode, address: values.REDIS_ADDR ?? { host: '127.0.0.1', port: 6379 }, db };
    case undefined:
      return undefined;
  }
}

/** Its files of TLS are those of the new one, and are checked with them. */
function previousRedisConfig(values: Values, redis: RedisConfig | undefined, faults: string[]): RedisConfig | undefined {
  const { PREVIOUS_REDIS_ADDR: address, PREVIOUS_REDIS_USERNAME: username, PREVIOUS_REDIS_PASSWORD: password, PREVIOUS_REDIS_DB: db = 0, PREVIOUS_REDIS_TLS: isTls = false } = values;
  if (address === undefined) {
    for (const [name, isSet] of [['USERNAME', username !== undefined], ['PASSWORD', password !== undefined], ['DB', db !== 0], ['TLS', isTls]] as const) {
      if (isSet) faults.push(`PREVIOUS_REDIS_${name}: is set, and PREVIOUS_REDIS_ADDR is not`);
    }
    return undefined;
  }
  if (redis?.mode === 'standalone' && redis.db === db && redis.address.host === address.host && redis.address.port === address.port) {
    faults.push(`PREVIOUS_REDIS_ADDR="${address.host}:${address.port}": is the Redis that is moved to (REDIS_ADDR)`);
  }
  const files = { ca: values.REDIS_TLS_CA_FILE, cert: values.REDIS_TLS_CERT_FILE, key: values.REDIS_TLS_KEY_FILE };
  return { mode: 'standalone', address, username, password, db, tls: isTls && { files, servername: undefined } };
}

function isAuthOn({ AUTH: auth }: Values, environment: Environment): boolean {
  return auth === undefined ? environment === 'prod' : auth === 'on';
}

/**
 * The operator has named HTTP_HOST already, so it need not be repeated in ALLOWED_HOSTS. With keys every name will do: a page that
 * has made itself a name for this address has no key.
 */
function allowedHosts(values: Values, environment: Environment): readonly string[] | 'any' {
  const { ALLOWED_HOSTS: names, HTTP_HOST: host } = values;
  if (isAuthOn(values, environment) || (names === undefined && environment === 'prod')) return 'any';
  return [...(names ?? []), ...(host === undefined ? [] : [host.toLowerCase()])];
}

function kafkaConfig(values: Values, faults: string[]): KafkaConfig {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME: username, KAFKA_PASSWORD: password } = values;
  const given = [mechanism, username, password].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3) faults.push('KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD: set all three, or none');
  const credentials = mechanism !== undefined && username !== undefined && password !== undefined ? { mechanism, username, password } : undefined;
  const isTls = values.KAFKA_TLS ?? false;
  const files = checkedTlsFiles('KAFKA', { ca: values.KAFKA_TLS_CA_FILE, cert: values.KAFKA_TLS_CERT_FILE, key: values.KAFKA_TLS_KEY_FILE }, isTls, faults);
  return { brokers: values.KAFKA_BROKERS ?? [], tls: isTls && files, credentials };
}

function misspelt(env: Readonly<Record<string, string | undefined>>): string[] {
  return unknownVariables(env, knownNames).map(({ name, nearest }) => `${name} is set, and nothing reads it: ${nearest} is probably meant`);
}

function warnings(values: Values, environment: Environment): string[] {
  const found: string[] = [];
  if (values.POLL_INTERVAL !== undefined) found.push('POLL_INTERVAL is ignored: nothing polls, tasks are sent when they are due');
  if (environment !== 'prod') return found;
  if (values.KAFKA_SASL_MECHANISM === 'plain' && values.KAFKA_TLS !== true) found.push('KAFKA_SASL_MECHANISM=plain without KAFKA_TLS: the password goes over the network in clear');
  if (isAuthOn(values, environment)) return found;
  found.push('AUTH=off: whoever reaches the port may read, change and send everything. Set AUTH=on, or keep the API inside a trusted network');
  if (values.ALLOWED_HOSTS === undefined) {
    found.push('ALLOWED_HOSTS is not set: the API answers under every name, so a web page can reach it by DNS rebinding. Set it to the names that clients and probes use');
  }
  return found;
}

/** The value of a row that has a default, or whose fault was reported before. */
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a variable without a default was read as required');
  return value;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
