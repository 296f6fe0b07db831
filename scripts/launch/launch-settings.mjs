import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { cloneDir } from '../install/clone-paths.mjs';
import { SetupError } from '../processes/setup-error.mjs';

/**
 * What the launcher itself needs of the configuration. The built code reads it, so that there is one reader and one message for each
 * mistake (docs/ENVIRONMENT.md).
 *
 * @typedef {object} LaunchSettings
 * @property {string} httpHost           where the API is told to listen, e.g. "127.0.0.1"
 * @property {string} reachableHost      the same for use in a URL: "0.0.0.0" is no address to call
 * @property {number} httpPort           0..65535
 * @property {number} workers            1..64
 * @property {number} shutdownMs         from SIGTERM to the end of a process
 * @property {number | 'off'} workerPort  of the first worker; each further one has the next number
 * @property {boolean} needsKey           whether each call needs an access key
 * @property {readonly string[]} redisWarnings  what is set about a Redis and is not read, for a start that brings a Redis of its own
 * @property {(place: {host: string, port: number}) => boolean} isForbidden whether the address policy refuses a destination
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<LaunchSettings>}
 * @throws {SetupError} naming every variable that is wrong
 */
export async function readLaunchSettings(env) {
  const { loadConfig, ConfigError, EXIT_CONFIG } = await import(built('shared', 'config', 'load.js'));
  const { variables } = await import(built('shared', 'config', 'schema.js'));
  const { refusalOfHost } = await import(built('shared', 'domain', 'addresses', 'destination-policy.js'));
  try {
    const { http, auth, destinationPolicy, shutdownDelayMs, shutdownTimeoutMs, telemetry, warnings } = loadConfig(env);
    const workers = variables.WORKERS.parse(env.WORKERS || variables.WORKERS.fallback);
    const faults = faultsOfPorts({ httpPort: http.port, workerPort: telemetry.workerPort, workers });
    if (faults.length > 0) throw new ConfigError(faults);
    return { httpHost: http.host, reachableHost: urlHost(http.host), httpPort: http.port, workers, shutdownMs: shutdownDelayMs + shutdownTimeoutMs, workerPort: telemetry.workerPort, needsKey: auth.isOn, redisWarnings: warnings.filter((/** @type {string} */ warning) => /^REDIS_?/i.test(warning)), isForbidden: (place) => refusalOfHost(destinationPolicy, place, () => false) !== undefined };
  } catch (error) {
    if (error instanceof ConfigError) throw new SetupError(error.message, { exitCode: EXIT_CONFIG });
    throw error;
  }
}

const LAST_PORT = 65_535;

/**
 * The API and each worker listen on a port of their own.
 * @param {Pick<LaunchSettings, 'httpPort' | 'workerPort' | 'workers'>} settings
 * @returns {string[]}
 */
function faultsOfPorts({ httpPort, workerPort, workers }) {
  if (workerPort === 'off' || workerPort === 0) return [];
  const last = workerPort + workers - 1;
  const taken = workers === 1 ? `the worker listens on ${workerPort}` : `the ${workers} workers (WORKERS) listen on ${workerPort} to ${last}`;
  return [
    ...(last > LAST_PORT ? [`WORKER_HTTP_PORT="${workerPort}": ${taken}, and the last port is ${LAST_PORT}`] : []),
    ...(httpPort >= workerPort && httpPort <= last ? [`WORKER_HTTP_PORT="${workerPort}": ${taken}, and the API on ${httpPort} (HTTP_PORT)`] : []),
  ];
}

/**
 * Whether the environment names a Redis. If it does not, the launcher starts one of its own. REDIS_MODE=cluster without addresses does:
 * the addresses are missing, and have to be named as missing.
 * @param {NodeJS.ProcessEnv} env
 */
export function namesRedis(env) {
  const isElsewhere = Boolean(env.REDIS_MODE) && env.REDIS_MODE !== 'standalone';
  return isElsewhere || Boolean(env.REDIS_ADDR || env.REDIS_SENTINEL_ADDRS || env.REDIS_CLUSTER_ADDRS);
}

/**
 * Whether a variable is about how a Redis elsewhere is reached: its user, its certificates, its sentinels.
 * @param {string} name
 */
export function isOfRedisElsewhere(name) {
  return /^REDIS_(MODE$|USERNAME$|PASSWORD|TLS|SENTINEL_|MASTER_NAME$)/.test(name);
}

/**
 * @param {string} host
 * @param {number} port one that is taken
 * @returns {Promise<number | undefined>} see shared/lifecycle/free-port-near.ts
 */
export async function freePortNear(host, port) {
  const { freePortNear: find } = await import(built('shared', 'lifecycle', 'free-port-near.js'));
  return find(host, port);
}

/** @param {string[]} file below dist */
function built(...file) {
  return pathToFileURL(path.join(cloneDir, 'dist', ...file)).href;
}

/** @param {string} host */
function urlHost(host) {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
