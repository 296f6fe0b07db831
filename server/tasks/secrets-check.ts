import { RequestError } from '../../shared/domain/errors.js';
import { holdsSecretFields } from '../../shared/domain/task/task-secrets.js';
import type { ParseTask } from './schema.js';

/** The operator's log names the variable; callers learn no settings. */
export const secretsNotConfigured = (message: string, details?: RequestError['details']): RequestError => new RequestError('secrets_not_configured', message, details, { notes: { limit: 'SECRETS_KEYS' } });

const NOT_STORED = 'cannot be stored: this deployment has no key to encrypt secrets with';

/**
 * Adds to a parser of tasks that headers of HTTP destinations are refused where they could not be encrypted.
 * @returns a parser that also throws RequestError secrets_not_configured
 */
export function withSecretsCheck(parse: ParseTask): ParseTask {
  return (input) => {
    const task = parse(input);
    const fields = [holdsSecretFields(task.destination) ? 'destination.headers' : '', holdsSecretFields(task.deadDestination) ? 'dead_destination.headers' : ''].filter((field) => field !== '');
    if (fields.length === 0) return task;
    throw secretsNotConfigured(fields.map((field) => `${field} ${NOT_STORED}`).join('; '), fields.map((field) => ({ field, message: NOT_STORED })));
  };
}
