import { editDistance } from '../domain/edit-distance.js';

/** Longer names may have two typing errors, shorter ones only one: REDIS_TTL is not a misspelt REDIS_TLS. */
const TWO_ERRORS_FROM_CHARACTERS = 10;
/** REDIS_PASS, REDIS_ADDRESS: as much may be missing at the end, or stand there too much. */
const MOST_AT_THE_END = 4;

/** Kubernetes and Docker set these for each service: `REDIS_SERVICE_HOST`, `REDIS_PORT_6379_TCP_ADDR`. */
const SERVICE_NAME = /_SERVICE_(HOST|PORT(_.*)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_.*)?$/;
/** `REDIS_PORT=tcp://10.0.0.1:6379`. */
const SERVICE_VALUE = /^(tcp|udp|sctp):\/\//;
/** Variables of Node, npm, Kubernetes and proxies, whatever of ours they resemble. Those of OpenTelemetry resemble none. */
const FOREIGN_NAME = /^(NODE|NPM|KUBERNETES|DOCKER|COMPOSE)_|^(HTTP|HTTPS|FTP|ALL|NO)_PROXY$/i;

/** What an address of Redis can stand in. */
const ADDRESS_OF_REDIS = ['REDIS_ADDR', 'REDIS_SENTINEL_ADDRS', 'REDIS_CLUSTER_ADDRS'] as const;

interface OtherWord {
  /** What to set instead. */
  readonly meant: string;
  /** With one of these set, the operator knows our names. The other one may be there for another program. */
  readonly unlessSet: readonly string[];
}

const ofRedis = (meant: string): OtherWord => ({ meant, unlessSet: ADDRESS_OF_REDIS });
const ofKafka: OtherWord = { meant: 'KAFKA_BROKERS=host:port,host:port', unlessSet: ['KAFKA_BROKERS'] };
const url = ofRedis('REDIS_ADDR=host:port, with REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS=true for rediss://,');
const hostAlone = ofRedis('REDIS_ADDR=host:port');
const cluster = ofRedis('REDIS_MODE=cluster with REDIS_CLUSTER_ADDRS=host:port,host:port');
const sentinel = ofRedis('REDIS_MODE=sentinel with REDIS_SENTINEL_ADDRS=host:port,host:port and REDIS_MASTER_NAME');

/**
 * What other programs and platforms call the servers of a process. Who sets one of these, and none of ours, expects it to be read. The
 * process would take a default instead, and tasks would go to another server.
 */
const otherWords: ReadonlyMap<string, OtherWord> = new Map([
  ['REDIS_URL', url], ['REDIS_URI', url], ['REDIS_TLS_URL', url], ['REDIS_CONNECTION_STRING', url], ['REDISCLOUD_URL', url],
  ['REDIS_HOST', hostAlone], ['REDIS_PORT', hostAlone], ['REDIS_HOSTNAME', hostAlone], ['REDIS_SERVER', hostAlone], ['REDIS_ENDPOINT', hostAlone],
  ['REDIS_CLUSTER_NODES', cluster], ['REDIS_CLUSTER_URL', cluster], ['REDIS_CLUSTER_HOSTS', cluster], ['REDIS_NODES', cluster],
  ['REDIS_SENTINELS', sentinel], ['REDIS_SENTINEL_HOSTS', sentinel], ['REDIS_SENTINEL_NODES', sentinel], ['REDIS_SENTINEL_MASTER', sentinel], ['REDIS_MASTER_SET', sentinel],
  ['KAFKA_URL', ofKafka], ['KAFKA_HOST', ofKafka], ['KAFKA_HOSTS', ofKafka], ['KAFKA_BOOTSTRAP_SERVER', ofKafka], ['KAFKA_BOOTSTRAP_SERVERS', ofKafka],
]);

/** A variable that is set and that no part of the service reads, and what was probably meant: a name, or settings. */
export interface UnknownVariable {
  readonly name: string;
  readonly nearest: string;
}

/**
 * Variables that look like misspelt ones of ours. All others are none of our business: the environment belongs to the whole system.
 *
 * | set | meant |
 * |---|---|
 * | `WORKER_CONCURENCY`, `worker_concurrency` | `WORKER_CONCURRENCY` |
 * | `KAFKA_BROKER` | `KAFKA_BROKERS` |
 * | `REDIS_PASS` | `REDIS_PASSWORD` |
 * | `REDIS_URL`, and no address of Redis | `REDIS_ADDR=host:port, with REDIS_USERNAME, ...` |
 * | `HTTP_PROXY`, `REDIS_PORT=tcp://...`, `PATH` | nothing |
 */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>, known: readonly string[]): UnknownVariable[] {
  const isKnown = new Set(known);
  return Object.entries(env).flatMap(([name, value = '']) => {
    // Compose files pass variables that are not set as empty strings.
    if (value === '' || isKnown.has(name) || isForeign(name, value)) return [];
    const other = otherWords.get(name.toUpperCase());
    if (other !== undefined) return other.unlessSet.some((ours) => isSet(env[ours])) ? [] : [{ name, nearest: other.meant }];
    const nearest = nearestVariable(name.toUpperCase(), known);
    return nearest === undefined ? [] : [{ name, nearest }];
  });
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function isForeign(name: string, value: string): boolean {
  return FOREIGN_NAME.test(name) || SERVICE_NAME.test(name) || SERVICE_VALUE.test(value);
}

function nearestVariable(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const most = candidate.length < TWO_ERRORS_FROM_CHARACTERS ? 1 : 2;
    // Most names differ in length alone.
    if (Math.abs(candidate.length - name.length) > most) continue;
    const distance = editDistance(name, candidate);
    if (distance <= most && distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest ?? known.find((candidate) => isOtherEnding(name, candidate) || isOtherEnding(candidate, name));
}

/** REDIS_PASS, REDIS_PASSWORD: one is the beginning of the other. `_` would begin another word, such as in REDIS_TLS_CA. */
function isOtherEnding(short: string, long: string): boolean {
  const ending = long.slice(short.length);
  return short.includes('_') && long.startsWith(short) && ending.length <= MOST_AT_THE_END && !ending.includes('_') && !short.endsWith('_');
}
