import { EXIT_CONFIG, loadConfigOrExit } from '../shared/config/load.js';
import { serviceVersion } from '../shared/config/service-version.js';
import { exitOnSignal } from '../shared/lifecycle/shutdown.js';
import { createLogger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import { EngineMismatchError } from '../shared/queue/engine/engine-mismatch.js';
import { EvictingRedisError } from '../shared/redis/redis-watch.js';
import { createServer } from './create-server.js';

const config = loadConfigOrExit();
const logger = createLogger({ level: config.logLevel, environment: config.environment });
process.once('exit', () => logger.flush());
for (const warning of config.warnings) logger.warn(warning);

const server = createServer(config, {
  logger,
  clock: Date.now,
  version: serviceVersion(),
  onUnfitRedis: (error) => exitUnconfigured(error instanceof EvictingRedisError || error instanceof EngineMismatchError ? error.message : printError(error)),
});
exitOnSignal(server.stopSteps, logger);

const { host, port } = config.http;
try {
  const started = await server.start();
  logger.info('the API is up', { url: `http://${host.includes(':') ? `[${host}]` : host}:${started.port}`, pid: process.pid });
} catch (error) {
  exitUnconfigured(
    error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      ? `port ${port} on ${host} is taken by another process: stop it, or choose another port with HTTP_PORT`
      : `cannot listen on ${host}:${port} (HTTP_HOST, HTTP_PORT): ${printError(error)}`,
  );
}

function exitUnconfigured(why: string): never {
  logger.error(why);
  logger.flush();
  process.exit(EXIT_CONFIG);
}
