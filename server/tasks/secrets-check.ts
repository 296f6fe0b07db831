import { RequestError } from '../../shared/domain/errors.js';
import { holdsSecretFields } from '../../shared/domain/task/task-secrets.js';
import type { ParseTask } from './schema.js';

/** Why what is secret is not taken; the operator's log names the variable, too. */
export const SECRETS_NEEDED = 'needs SECRETS_KEYS: this deployment does not store secrets unencrypted';

/**
 * Adds to a parser of tasks that headers of HTTP destinations are refused where they could not be encrypted.
 * @returns a parser that also throws RequestError secrets_not_configured
 */
export function withSecretsCheck(parse: ParseTask): ParseTask {
  return (input) => {
    const task = parse(input);
    const fields = [holdsSecretFields(task.destination) ? 'destination.headers' : '', holdsSecretFields(task.deadDestination) ? 'dead_destination.headers' : ''].filter((field) => field !== '');
    if (fields.length === 0) return task;
    throw new RequestError('secrets_not_configured', fields.map((field) => `${field} ${SECRETS_NEEDED}`).join('; '), fields.map((field) => ({ field, message: SECRETS_NEEDED })));
  };
}
