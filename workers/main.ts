import { randomBytes } from 'node:crypto';
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
import { createWorker } from './create-worker.js';

const config = loadConfigOrExit(reportRefusedStart('worker'));
// A launcher that starts several workers gives each a name, such as `worker 2`.
const [, , name] = process.argv;
const logger = createLogger({ level: config.logLevel, environment: config.environment, role: 'worker', version: serviceVersion(), name, colours: config.logColours });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning, { event: 'configuration_warning' });

// The number is new with each start: a container that is started again has the same host name and process id, and what the
// process before it held must not count as held by this one.
const workerName = `${hostname()}-${randomBytes(3).toString('hex')}-${process.pid}`;
const tracing = await startTracing(config.telemetry.tracing, { version: serviceVersion(), role: 'worker', instance: workerName, onTrouble: (error) => logger.warn('traces are lost', { error }) });
const metrics = new Metrics('worker');
metrics.addProcess();
const worker = createWorker(config, { logger, clock: Date.now, random: Math.random, workerName, version: serviceVersion(), revision: serviceRevision(), metrics, tracing, onStandstill: () => lifecycle.end('a shard stands still'), onMismatch: (error) => exitUnconfigured(error.message) });
const lifecycle = exitOnSignal(tracing === undefined ? worker.stopSteps : withLastStep(worker.stopSteps, 'send the last spans', config.shutdownTimeoutMs, (limitMs) => tracing.stop(limitMs)), logger, {
  whatIsInFlight: () => printInFlight(worker.sendsInFlight, ['send', 'sends'], config.shutdownTimeoutMs),
  whatIsLeft: () => ({ tasks_left: worker.inHand }),
  onFault: () => worker.keepInHand(),
  faultSteps: worker.faultSteps,
});
const { host } = config.http;
const { workerPort } = config.telemetry;
let port: number | undefined;
try {
  port = await worker.listen();
} catch (error) {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  exitUnconfigured(isTaken && workerPort !== 'off' ? await portTakenText(workerPort) : `cannot listen on ${host}:${workerPort} (HTTP_HOST, WORKER_HTTP_PORT): ${printError(error)}`);
}
if (port !== undefined && config.auth.isOn && config.telemetry.metricsToken === undefined) logger.warn('/metrics of this worker answers nobody: AUTH is on, and METRICS_TOKEN is not set');
try {
  await worker.start();
} catch (error) {
  if (!(error instanceof RedisRefusedError || error instanceof EvictingRedisError || error instanceof MismatchError)) throw error;
  exitUnconfigured(error.message);
}
if (!lifecycle.isStopping) logger.info('worker is up', { worker: workerName, concurrency: config.workerConcurrency, slots: worker.slots, http_port: port, pid: process.pid });

async function portTakenText(taken: number): Promise<string> {
  // Of several workers of one launcher each has the next number, so one free port is not enough for them.
  const hint = isOneOfSeveral(name) ? '' : await freePortHint('WORKER_HTTP_PORT', host, taken);
  return `port ${taken} on ${host} is taken by another process: choose another one with WORKER_HTTP_PORT${hint}; off opens none`;
}

/** @param worker as a launcher names it: `worker`, `worker 2` */
function isOneOfSeveral(worker: string | undefined): boolean {
  return worker !== undefined && /\d$/.test(worker);
}

function exitUnconfigured(why: string): never {
  logger.error(why, { event: 'start_refused' });
  logger.flush();
  process.exit(EXIT_CONFIG);
}
