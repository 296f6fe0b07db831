import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { EXIT_CONFIG, loadConfigOrExit } from '../shared/config/load.js';
import { serviceVersion } from '../shared/config/service-version.js';
import { printInFlight } from '../shared/lifecycle/in-flight.js';
import { exitOnSignal } from '../shared/lifecycle/shutdown.js';
import { createLogger } from '../shared/logging/logger.js';
import { EngineMismatchError } from '../shared/queue/engine/engine-mismatch.js';
import { EvictingRedisError } from '../shared/redis/redis-watch.js';
import { createWorker } from './create-worker.js';

const config = loadConfigOrExit();
// A launcher that starts several workers gives each a name, such as `worker 2`.
const [, , name] = process.argv;
const logger = createLogger({ level: config.logLevel, environment: config.environment, role: 'worker', name, colours: config.logColours });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning);

// The number is new with each start: a container that is started again has the same host name and process id, and what the
// process before it held must not count as held by this one.
const workerName = `${hostname()}-${randomBytes(3).toString('hex')}-${process.pid}`;
const worker = createWorker(config, { logger, clock: Date.now, random: Math.random, workerName, version: serviceVersion(), onStandstill: () => lifecycle.end('a shard stands still') });
const lifecycle = exitOnSignal(worker.stopSteps, logger, {
  whatIsInFlight: () => printInFlight(worker.sendsInFlight, ['send', 'sends'], config.shutdownTimeoutMs),
  whatIsLeft: () => ({ tasks_left: worker.inHand }),
  onFault: () => worker.keepInHand(),
  faultSteps: worker.faultSteps,
});
try {
  await worker.start();
} catch (error) {
  if (!(error instanceof EvictingRedisError || error instanceof EngineMismatchError)) throw error;
  logger.error(error.message);
  logger.flush();
  process.exit(EXIT_CONFIG);
}
if (!lifecycle.isStopping) logger.info('worker is up', { worker: workerName, concurrency: config.workerConcurrency, slots: worker.slots, pid: process.pid });
