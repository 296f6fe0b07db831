import { printFaults, type ConfigError } from '../config/load.js';
import { serviceVersion } from '../config/service-version.js';
import type { Role } from './log-line.js';
import { createLogger } from './logger.js';

/** Says why a process does not start, before it has a logger: for a person in dev, else one line for each fault where all others go. An ENVIRONMENT that is wrong itself was hardly meant to be dev. */
export function reportRefusedStart(role: Role): (error: ConfigError) => void {
  return (error) => {
    if (error.environment === 'dev') return printFaults(error);
    const logger = createLogger({ level: 'info', environment: 'prod', role, version: serviceVersion() });
    for (const fault of error.faults) logger.error(fault, { event: 'start_refused' });
    for (const hint of error.hints) logger.warn(hint, { event: 'configuration_warning' });
    logger.flush();
  };
}
