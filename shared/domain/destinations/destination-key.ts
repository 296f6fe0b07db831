import type { PathMask } from './path-mask.js';
import { rowOf, type Destination } from './destination.js';

/**
 * The key of a destination: its one spelling in logs, without user, query and secret parts of the path.
 *
 * | destination | key |
 * |---|---|
 * | `https://user:password@API.example.com/orders?token=1` | `https://api.example.com/orders` |
 * | topic orders of Broker-1:9092 | `kafka://broker-1:9092/orders` |
 * | topic orders of KAFKA_BROKERS, a broker of it named or none | `kafka://default/orders` |
 *
 * @param defaultBrokers as defaultBrokersOf in flow-key.ts makes it
 */
export function destinationKey(destination: Destination, mask: PathMask, defaultBrokers: ReadonlySet<string>): string {
  const row = rowOf(destination.type);
  return row.flow(destination, defaultBrokers).host + row.endpointPath(destination, mask);
}
