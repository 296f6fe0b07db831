import type { AddressGuard } from '../../shared/addresses/address-guard.js';
import { rowOf, type Destination } from '../../shared/domain/destinations/destination.js';
import { RequestError, type RefusalNotes } from '../../shared/domain/errors.js';
import type { ParseTask } from './schema.js';

/** What the log and the counters say of a refused address, by whatever call it came. */
export const addressNotes: RefusalNotes = { reason: 'address', limit: 'DESTINATION_POLICY, DESTINATION_ALLOW, DESTINATION_DENY' };

/**
 * Adds the address policy to a parser of tasks. It refuses what is certain without a look-up: an address, and a name that is denied. All
 * else is judged when a worker connects.
 *
 * @returns a parser that also throws RequestError invalid_task at the field that names the address
 */
export function withAddressPolicy(parse: ParseTask, guard: AddressGuard, defaultBrokers: ReadonlySet<string>): ParseTask {
  const complaints = (wire: string, destination: Destination | undefined): { field: string; message: string }[] => {
    const dialed = destination === undefined ? undefined : rowOf(destination.type).dials(destination, defaultBrokers);
    const refusal = dialed === undefined ? undefined : guard.refusalOf(dialed.host, dialed.port);
    return dialed === undefined || refusal === undefined ? [] : [{ field: `${wire}.${dialed.field}`, message: `must not be sent to: ${refusal.message}` }];
  };
  return (input) => {
    const task = parse(input);
    const details = [...complaints('destination', task.destination), ...complaints('dead_destination', task.deadDestination)];
    if (details.length > 0) throw new RequestError('invalid_task', details.map(({ field, message }) => `${field} ${message}`).join('; '), details, { notes: addressNotes });
    return task;
  };
}
