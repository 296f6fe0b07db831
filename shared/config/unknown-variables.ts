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

/** A variable that is set and that no part of the service reads, and the one that was probably meant. */
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
 * | `HTTP_PROXY`, `REDIS_PORT=tcp://...`, `REDIS_URL`, `PATH` | nothing |
 */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>, known: readonly string[]): UnknownVariable[] {
  const isKnown = new Set(known);
  return Object.entries(env).flatMap(([name, value = '']) => {
    // Compose files pass variables that are not set as empty strings.
    if (value === '' || isKnown.has(name) || isForeign(name, value)) return [];
    const nearest = nearestVariable(name.toUpperCase(), known);
    return nearest === undefined ? [] : [{ name, nearest }];
  });
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
