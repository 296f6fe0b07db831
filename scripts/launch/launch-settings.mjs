import { SetupError } from '../processes/setup-error.mjs';

/**
 * The few variables the launcher itself needs. Everything else, and the full check of these, is the business of
 * shared/config in the processes it starts (docs/ENVIRONMENT.md).
 *
 * @typedef {object} LaunchSettings
 * @property {string} httpHost           where the API is told to listen, e.g. "127.0.0.1"
 * @property {string} reachableHost      the same for use in a URL: "0.0.0.0" is no address to call
 * @property {number} httpPort           0..65535
 * @property {number} workers            1..64
 * @property {number} shutdownTimeoutMs
 * @property {boolean} hasOwnRedis       somebody named a Redis: start none
 */

const UNIT_MS = /** @type {Record<string, number>} */ ({ ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 });

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {LaunchSettings}
 * @throws {SetupError} naming the variable
 */
export function readLaunchSettings(env) {
  const httpHost = env.HTTP_HOST || (env.ENVIRONMENT === 'prod' ? '0.0.0.0' : '127.0.0.1');
  return {
    httpHost,
    reachableHost: urlHost(httpHost),
    httpPort: wholeNumber(env, 'HTTP_PORT', { fallback: 8080, min: 0, max: 65_535 }),
    workers: wholeNumber(env, 'WORKERS', { fallback: 1, min: 1, max: 64 }),
    shutdownTimeoutMs: durationMs(env, 'SHUTDOWN_TIMEOUT', 10_000),
    hasOwnRedis: Boolean(env.REDIS_ADDR || env.REDIS_SENTINEL_ADDRS || env.REDIS_CLUSTER_ADDRS),
  };
}

/** @param {string} host */
function urlHost(host) {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name
 * @param {{fallback: number, min: number, max: number}} range
 */
function wholeNumber(env, name, { fallback, min, max }) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new SetupError(`${name}=${text}: allowed is a whole number from ${min} to ${max}.`, { exitCode: 78 });
  }
  return value;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name
 * @param {number} fallbackMs
 */
function durationMs(env, name, fallbackMs) {
  const text = env[name];
  if (text === undefined || text === '') return fallbackMs;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) {
    throw new SetupError(`${name}=${text}: allowed is a duration such as 500ms, 10s, 5m, 1h.`, { exitCode: 78 });
  }
  return Math.ceil(Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] ?? 1));
}
