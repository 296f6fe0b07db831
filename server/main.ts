import { hostname } from 'node:os';
import { EXIT_CONFIG, loadConfigOrExit } from '../shared/config/load.js';
import { serviceRevision, serviceVersion } from '../shared/config/service-version.js';
import { freePortHint } from '../shared/lifecycle/free-port-near.js';
import { printInFlight } from '../shared/lifecycle/in-flight.js';
import { withLastStep } from '../shared/lifecycle/last-step.js';
import { exitOnSignal } from '../shared/lifecycle/shutdown.js';
import { createLogger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import { reportRefusedStart } from '../shared/logging/refused-start.js';
import { MismatchError } from '../shared/queue/engine/mismatch-error.js';
import { RedisRefusedError } from '../shared/redis/redis-access.js';
import { EvictingRedisError } from '../shared/redis/redis-watch.js';
import { Metrics } from '../shared/telemetry/metrics.js';
import { startTracing } from '../shared/telemetry/tracing/start-tracing.js';
import { NoKeyError } from './access/no-key-error.js';
import { createServer } from './create-server.js';

const config = loadConfigOrExit(reportRefusedStart('api'));
// A launcher that starts several processes gives each a name.
const [, , name] = process.argv;
const logger = createLogger({ level: config.logLevel, environment: config.environment, role: 'api', version: serviceVersion(), name, colours: config.logColours });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning, { event: 'configuration_warning' });

const tracing = await startTracing(config.telemetry.tracing, { version: serviceVersion(), role: 'api', instance: `${hostname()}-${process.pid}`, onTrouble: (error) => logger.warn('traces are lost', { error }) });
const metrics = new Metrics('api');
metrics.addProcess();
const server = createServer(config, {
  logger,
  clock: Date.now,
  version: serviceVersion(),
  revision: serviceRevision(),
  metrics,
  tracing,
  onUnfitRedis: (error) => exitUnconfigured(error instanceof RedisRefusedError || error instanceof EvictingRedisError || error instanceof MismatchError || error instanceof NoKeyError ? error.message : printError(error)),
});
exitOnSignal(tracing === undefined ? server.stopSteps : withLastStep(server.stopSteps, 'send the last spans', config.shutdownDelayMs + config.shutdownTimeoutMs, (limitMs) => tracing.stop(limitMs)), logger, { whatIsInFlight: () => printInFlight(server.requestsInFlight, ['request', 'requests'], config.shutdownDelayMs + config.shutdownTimeoutMs) });

const { host, port } = config.http;
try {
  const started = await server.start();
  logger.info('the API is up', { url: `http://${host.includes(':') ? `[${host}]` : host}:${started.port}`, pid: process.pid });
} catch (error) {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  exitUnconfigured(isTaken ? await portTakenText() : `cannot listen on ${host}:${port} (HTTP_HOST, HTTP_PORT): ${printError(error)}`);
}

async function portTakenText(): Promise<string> {
  return `port ${port} on ${host} is taken by another process: stop it, or choose another port with HTTP_PORT${await freePortHint('HTTP_PORT', host, port)}`;
}

function exitUnconfigured(why: string): never {
  logger.error(why, { event: 'start_refused' });
  logger.flush();
  process.exit(EXIT_CONFIG);
}
