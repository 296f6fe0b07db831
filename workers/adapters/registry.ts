import type { Destination, DestinationType } from '../../shared/domain/destinations/destination.js';
import type { DeliveryAdapter } from '../../shared/domain/ports.js';

/** One adapter for each type: a type without one does not compile. */
export type AdapterRegistry = { readonly [T in DestinationType]: DeliveryAdapter<Extract<Destination, { type: T }>> };

/** The adapter for a destination. */
export function adapterFor(registry: AdapterRegistry, destination: Destination): DeliveryAdapter {
  // Sound because the mapped type pairs each adapter with its own destination: the one looked up is the one it takes.
  return registry[destination.type];
}

/** Closes every adapter, and fails if one of them fails. */
export async function closeAdapters(registry: AdapterRegistry): Promise<void> {
  await Promise.all(Object.values(registry).map((adapter) => adapter.close()));
}
